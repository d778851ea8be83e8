"""`portal doctor`: examines an installation; each finding says how to correct it."""
