"""Stand-ins for the outer world, with the same protocols: a mail server."""
