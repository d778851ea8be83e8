"""Stripe Connect: the accounts of workspaces, and the payment processor over them."""
