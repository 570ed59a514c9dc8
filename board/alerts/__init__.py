"""Alerts of monitoring systems: folded, silenced, and settled with issues."""
