"""Text files that people name on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from guardia.errors import Invalid
from guardia.i18n import t

_REASONS: dict[type[OSError], str] = {
    FileNotFoundError: "none",
    NotADirectoryError: "none",
    IsADirectoryError: "folder",
    PermissionError: "no_right",
}


def read_text(file: Path) -> str:
    """Return the text of a file with its line breaks as they are; `-` is standard input.

    A byte order mark, as editors of Windows write it, is dropped. Raises `Invalid` with what to do.
    """
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(what=str(file), why=t("cli.file.not_utf8")) from error
    except OSError as error:
        raise Invalid(what=str(file), why=_why(error)) from error


def _why(error: OSError) -> str:
    for kind, key in _REASONS.items():
        if isinstance(error, kind):
            return t(f"cli.file.{key}")
    return error.strerror or type(error).__name__
