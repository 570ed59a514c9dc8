"""Duty roster: who is on duty, responsible and away, entered on pages and from files."""
