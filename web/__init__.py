"""HTTP, websockets and the browser."""
