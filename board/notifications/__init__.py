"""Notifications: delivery of queued messages."""
