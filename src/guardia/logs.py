"""The log of a process: lines that no request can forge or multiply, and files that rotate."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.personal_numbers import mask_resident_numbers

PER_MINUTE = 20
"""Warnings and errors that one line of code may write in a minute; further ones are counted."""
_LINE = 2000
_TRACE_BEGIN, _TRACE_END = 1000, 5000
_OLDER_FILES = 5
_UNSHOWN = r"\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL = re.compile(rf"[\x00-\x1f{_UNSHOWN}]")
_CONTROL_IN_TRACE = re.compile(rf"[\x00-\x09\x0b-\x1f{_UNSHOWN}]")


def configure(file: Path | None, megabytes: int) -> None:
    """Log to a file that is rotated, or to standard error. Raises `Misconfigured`."""
    handler: logging.Handler = logging.StreamHandler()
    if file is not None:
        try:
            handler = _PrivateFile(file, megabytes << 20)
        except OSError as error:
            why = t("web.settings.log_file", problem=error.strerror or "-")
            raise Misconfigured(what=f"GUARDIA_LOG_FILE={file}", why=why) from error
    handler.setFormatter(SafeFormatter("%(asctime)s %(name)s %(message)s"))
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)


class SafeFormatter(logging.Formatter):
    """Writes one bounded line for each message, with control characters as escapes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line: text of a request begins no line of its own."""
        return _bounded(_masked(super().formatMessage(record), _CONTROL), _LINE, 0)

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return the traceback: its beginning and its end, which names the error."""
        text = _masked(super().formatException(ei), _CONTROL_IN_TRACE)
        return _bounded(text, _TRACE_BEGIN, _TRACE_END)


class FloodFilter(logging.Filter):
    """Counts repeated warnings of one line of code instead of writing all of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        self._places: dict[tuple[str, int], tuple[float, int]] = {}
        """Beginning of the minute, and records in it, for each line of code."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass unless there were too many; the first one afterwards says how many."""
        if record.levelno < logging.WARNING:
            return True
        now, place = self._clock(), (record.pathname, record.lineno)
        with self._lock:
            begun, count = self._places.get(place, (now, 0))
            if now - begun >= 60:
                begun, hidden, count = now, max(0, count - PER_MINUTE), 0
                if hidden:
                    record.msg, record.args = f"{record.getMessage()} ({hidden} more before)", ()
            self._places[place] = (begun, count + 1)
        return count < PER_MINUTE


class _PrivateFile(RotatingFileHandler):
    """A rotated file that only this account reads."""

    def __init__(self, file: Path, size: int) -> None:
        super().__init__(file, maxBytes=size, backupCount=_OLDER_FILES, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding=self.encoding)


def _masked(text: str, control: re.Pattern[str]) -> str:
    """Return a text with control characters as escapes, without resident numbers."""
    escaped = control.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return mask_resident_numbers(escaped)


def _bounded(text: str, begin: int, end: int) -> str:
    left_out = len(text) - begin - end
    if left_out <= 0:
        return text
    return f"{text[:begin]} [... {left_out} characters ...] {text[len(text) - end :]}".rstrip()
