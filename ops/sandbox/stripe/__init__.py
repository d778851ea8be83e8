"""A Stripe on this machine, for the demo and the tests: the SDK and the pages speak to it over loopback HTTP."""
