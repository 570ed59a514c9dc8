"""Heartbeats: when agents wake, where their beats run, and what one beat is."""
