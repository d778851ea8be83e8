"""What integrators use."""
