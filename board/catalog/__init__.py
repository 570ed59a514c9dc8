"""The tools that agents and people have, as a page."""
