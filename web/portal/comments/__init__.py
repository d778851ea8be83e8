"""What customers send to a thread."""
