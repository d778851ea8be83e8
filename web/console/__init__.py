"""What members of workspaces see."""
