"""The terminal: text of people, servers and programs is shown as it is.

Rich would take `[a-z]` for a style and `:warning:` for a picture. What we style is a `Text`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.table import Table

captured_tables: ContextVar[list[Table] | None] = ContextVar("captured_tables", default=None)
"""The tables of a command that prints JSON; `None` if it prints for people."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that interprets nothing in what it prints."""
    if captured_tables.get() is not None and not stderr:
        return _TableConsole(markup=False, emoji=False, highlight=False)
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


class _TableConsole(Console):
    """A console that keeps tables in place of drawing them."""

    def print(self, *objects: Any, **words: Any) -> None:
        """Keep tables; print anything else."""
        tables = captured_tables.get()
        drawn = [one for one in objects if not isinstance(one, Table)]
        if tables is not None:
            tables += [one for one in objects if isinstance(one, Table)]
        if drawn or not objects:
            super().print(*drawn, **words)
