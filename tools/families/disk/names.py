"""Names of log files: which can be an argument of a tool, and how a server sends them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from guardia.text import clean
from guardia.tools.output import sanitize

_MAX_CHARACTERS = 300


def is_argument(name: str) -> bool:
    """Return whether a path below the log folder can be an argument of a tool.

    Blanks, Korean, hidden files and subfolders can. A name cannot if storing, showing or sending it
    would change it, or if it leads out of the folder.
    """
    return (
        0 < len(name) <= _MAX_CHARACTERS
        and name[0] not in "/-"
        and not {"", ".", ".."} & set(name.split("/"))
        and name.isprintable()
        and clean(name) == name == sanitize(name)
    )


def _require_argument(name: str) -> str:
    if not is_argument(name):
        raise ValueError("no path below the log folder")
    return name


FileName = Annotated[
    str,
    StringConstraints(max_length=_MAX_CHARACTERS, pattern=r"^[^/\x00-\x1f\x7f-][^\x00-\x1f\x7f]*$"),
    AfterValidator(_require_argument),
]
"""Path of a file below the log folder, without `.` and `..`."""


def shown_name(raw: bytes) -> str:
    """Return a file's name for people; bytes that are no UTF-8 text are escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def argument_name(raw: bytes) -> str | None:
    """Return a file's name as an argument of a tool, or `None` if it cannot be one."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if is_argument(name) else None
