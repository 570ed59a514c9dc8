"""Paths as arguments of tools, and the types of programs' findings about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from guardia.text import clean
from guardia.tools.output import sanitize


def _require_plain(path: str) -> str:
    if {".", ".."} & set(path.split("/")) or "//" in path or clean(path) != path:
        raise ValueError("no plain absolute path")
    if not path.isprintable() or sanitize(path) != path:
        raise ValueError("a path that cannot be shown as it is")
    return path


AbsolutePath = Annotated[
    str,
    StringConstraints(max_length=1000, pattern=r"^/[^\x00-\x1f\x7f]*$"),
    AfterValidator(_require_plain),
]
"""Absolute path without `.` and `..`."""
