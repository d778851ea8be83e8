"""Access: what a visitor has proven, and what writing requires."""
