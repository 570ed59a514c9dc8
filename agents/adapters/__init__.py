"""External agents: start them with a task and a short-lived token, serve them, stop them."""
