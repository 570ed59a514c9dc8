"""Families of tools: one module per subject, each with its `TOOLS`."""
