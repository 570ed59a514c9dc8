"""Heartbeats: when agents wake, on which worker their beats run, and what one beat does."""
