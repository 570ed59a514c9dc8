"""The change calendar: planned changes, maintenance windows and freezes, and their feed."""
