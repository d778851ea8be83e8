"""What workers do, one plain function for each kind of job; importing them does nothing."""
