"""One plain function for each kind of job; importing a module has no effect."""
