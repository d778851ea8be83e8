"""The inbox of Stripe's events: each is stored once, and a job applies it."""
