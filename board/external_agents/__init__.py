"""External agents: their sessions, their API, and the requests that a worker executes for them."""
