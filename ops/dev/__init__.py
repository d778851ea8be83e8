"""Sets up, demonstrates and tests the product on one machine: embedded servers, Chromium, the demo, `ops/test`."""
