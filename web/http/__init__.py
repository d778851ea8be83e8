"""What all surfaces share: requests, hosts, errors, forms, conditional requests, templates, the server."""
