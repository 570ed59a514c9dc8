"""Assembly of the web application: routes, permissions, live events, HTTP server."""
