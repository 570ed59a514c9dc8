"""The terminal: text of people, servers and programs is shown as it is.

Rich would take `[a-z]` for a style and `:warning:` for a picture. What we style is a `Text`.
"""

from __future__ import annotations

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Return a console that interprets nothing in what it prints."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
