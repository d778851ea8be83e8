"""What a customer sees."""
