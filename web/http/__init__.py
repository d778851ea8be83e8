"""The Litestar gateway: app, hosts, errors, security, probes."""
