"""Background work: jobs, their actors, and the PDF render service."""
