"""What happens later: actors and the press."""
