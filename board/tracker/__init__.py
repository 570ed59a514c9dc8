"""Web pages of issues: list, issue page, timeline and forms of plans."""
