"""Triage of requests by rules over Korean morphemes and a lexicon of the field."""
