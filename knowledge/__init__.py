"""Runbooks and the search for them: what the agents know about operating the servers."""
