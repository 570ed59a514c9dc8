"""Supervised remote commands: a command lives only as long as its channel's input stays open.

Closing an SSH channel does not end the command behind it. So every command runs in a session of its
own below a small shell that reads the channel's input. When the input ends (closed by the client,
process killed, connection lost), the shell ends everything that the command started and reports
what is left of it (`remote_scripts.py`). Its messages are marks within the output streams,
separated from the command's own output by a random word that is on no command line.
"""

from __future__ import annotations

import base64
import math
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from guardia.tools.command import Command
from guardia.tools.transport.remote_scripts import GONE, SUPERVISE, TERMINATE

_GRACE_SECONDS = 10
"""Seconds after the command's own limit until the server ends it even if the input stays open."""
_ESCAPES = {ord(c): f"\\0{ord(c):03o}" for c in "\\'!\n\r\t"}
_MARK_BITS = 30
"""Bits of each number behind the word of the marks: arithmetic of a 32-bit shell holds them."""


@dataclass(frozen=True, slots=True)
class FenceGuard:
    """Binds a change on a server to the claim of its agent, however late it arrives there.

    The server's shell reports ready, then `require_current` is called, and only then the command
    starts. The next claimant first raises the fencing token and then ends, by `tag`, what is on the
    server. So either the shell was there to be ended, or `require_current` was called after the
    token was raised. No clock is involved, and it does not matter how long a worker was paused.
    """

    tag: str
    """The same for every attempt at one step of one task's plan; `[a-z0-9:]` only."""
    require_current: Callable[[], None]
    """Raises `Stale` if the claim is no longer current."""


def terminate_command(tag: str) -> Command:
    """Build a command that ends all processes with this tag and succeeds if none is left."""
    half = len(tag) // 2
    return Command.script(TERMINATE, tag[:half], tag[half:])


@lru_cache(maxsize=64)
def _encoded(text: str) -> str:
    """Write a text for `printf %b` so that every shell passes it on unchanged within quotes."""
    return text.translate(_ESCAPES)


def _random_numbers() -> tuple[int, int, int]:
    first, second, third = (secrets.randbits(_MARK_BITS) for _ in range(3))
    return first, second, third


@dataclass(frozen=True, slots=True)
class SupervisedCommand:
    """One command with its random id and the random word of its shell's messages."""

    command: Command
    seconds: float
    fence_guard: FenceGuard | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    numbers: tuple[int, int, int] = field(default_factory=_random_numbers)
    """The shell derives the word of its marks from them."""
    may_exec: bool = True
    """Whether the login shell may replace itself; a restricted one refuses."""

    @property
    def marker(self) -> str:
        """The word of the shell's marks."""
        first, second, third = self.numbers
        return f"{first ^ second}x{second ^ third}"

    @property
    def line(self) -> str:
        """The command line for the server's login shell, whichever that is.

        It is one line of quoted words without an exclamation mark: csh would run what follows a
        line end within quotes as a command of its own.
        """
        bound = math.ceil(self.seconds) + _GRACE_SECONDS
        name = self.fence_guard.tag if self.fence_guard else "guardia"
        leaves = int(self.command.leaves_children)
        figures = (*self.numbers, len(self.payload), bound, leaves)
        rendered = self.command.render()
        text = _encoded(rendered)
        words = (name, self.id, *map(str, figures), text, str(int(text != rendered)))
        start = "exec sh -c" if self.may_exec else "sh -c"
        return f"{start} '{SUPERVISE}' {shlex.join(words)}"

    @property
    def payload(self) -> bytes:
        """What is sent after the command line: the command's input as base64."""
        return base64.b64encode(self.command.input()) + (b"." if self.fence_guard else b"")

    def gone_check(self, session: int, age: float) -> Command:
        """Build a command that prints how many processes are left of it and how many are unclear.

        `session` is its session id (0: unknown), `age` the seconds since it was sent.
        """
        half = len(self.id) // 2
        return Command.script(GONE, self.id[:half], self.id[half:], session, math.ceil(age))
