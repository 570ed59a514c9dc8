"""Channels: one file each. A channel verifies its sender, is idempotent and answers at once."""
