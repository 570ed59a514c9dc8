"""Output streams of a supervised command, with the messages of its shell taken out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from guardia.tools.output import decode, sanitize

_MAX_MARK_BYTES = 100
_MAX_MARKS = 8
"""Marks kept of one stream; a shell prints at most three."""
_MAX_LINE_BYTES = 8_192
_BEGIN = b"begin"


@dataclass(frozen=True, slots=True)
class ShellExit:
    """The shell's last message."""

    exit: int
    killed: bool
    """It was ended because the channel's input was closed."""
    left: int
    """Processes that the command started and that still run."""
    unclear: int
    """Processes that may be the command's and cannot be distinguished from others."""
    kept: int
    """Processes that the command was to leave behind."""


class OutputStream:
    """One output stream: the command's bytes, bounded, with the shell's marks taken out."""

    def __init__(
        self, marker: str, limit: int, on_text: Callable[[str], None] | None = None
    ) -> None:
        self.marks: list[str] = []
        self.received = 0
        self.truncated = False
        self._start = f"\x1e{marker}:".encode()
        self._limit = limit
        self._on_text = on_text
        self._has_begun = False
        self._kept = bytearray()
        self._pending = b""
        self._line = b""

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self.received += len(data)
        self._pending += data
        while (at := self._pending.find(self._start)) >= 0:
            close = self._pending.find(b"\x1e", at + len(self._start))
            if close < 0:
                break
            self._keep(self._pending[:at])
            inside = self._pending[at + len(self._start) : close]
            if len(self.marks) < _MAX_MARKS:
                self.marks.append(inside[:_MAX_MARK_BYTES].decode("ascii", "replace"))
            if inside == _BEGIN and not self._has_begun:
                self._begin()
            self._pending = self._pending[close + 1 :]
        cut = self._incomplete_mark()
        self._keep(self._pending[:cut])
        self._pending = self._pending[cut:]

    def _begin(self) -> None:
        """Drop what the login shell printed before the command."""
        self._kept.clear()
        self._line, self.truncated, self._has_begun = b"", False, True

    def finish(self) -> str:
        """Return the whole output as sanitized text."""
        self._keep(self._pending)
        self._pending = b""
        if self._on_text and self._line:
            self._on_text(decode(self._line))
            self._line = b""
        return decode(bytes(self._kept))

    def _incomplete_mark(self) -> int:
        """Return the position from which an incomplete mark may have begun."""
        last = self._pending.rfind(b"\x1e", max(0, len(self._pending) - _MAX_MARK_BYTES))
        if last < 0:
            return len(self._pending)
        tail = self._pending[last:]
        begun = self._start.startswith(tail) or tail.startswith(self._start)
        return last if begun else len(self._pending)

    def _keep(self, data: bytes) -> None:
        room = self._limit - len(self._kept)
        if len(data) > room:
            self.truncated = True
            data = data[:room]
        self._kept += data
        if self._on_text and data:
            self._emit_lines(data)

    def _emit_lines(self, data: bytes) -> None:
        """Pass on whole lines only, so that masking sees a secret in one piece."""
        assert self._on_text is not None
        self._line += data
        upto = self._line.rfind(b"\n") + 1
        if not upto and len(self._line) > _MAX_LINE_BYTES:
            upto = len(self._line)
        if upto:
            self._on_text(sanitize(self._line[:upto].decode("utf-8", "replace")))
            self._line = self._line[upto:]


_EXIT_MARK = re.compile(r"(\d{1,3}):([01]):(\d{1,6}):(\d{1,6}):(\d{1,6})")


def find_session(stderr: OutputStream) -> int:
    """Return the session id of the command; 0 if it is not known to have started."""
    return next((int(m) for m in stderr.marks if re.fullmatch(r"[0-9]{1,9}", m)), 0)


def find_exit(stderr: OutputStream) -> ShellExit | None:
    """Return the shell's last message if it has arrived."""
    for mark in stderr.marks:
        if match := _EXIT_MARK.fullmatch(mark):
            left, unclear, kept = map(int, match.group(3, 4, 5))
            return ShellExit(int(match[1]), match[2] == "1", left, unclear, kept)
    return None
