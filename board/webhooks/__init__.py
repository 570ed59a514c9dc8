"""Webhooks out, in GitHub's format: who receives which events, and the log of deliveries."""
