"""Hiring: an agent requests a new colleague, a person decides."""
