"""Supervised remote commands: a command lives only as long as its channel's input stays open.

Closing an SSH channel does not end the command behind it. So every command runs in a session of its
own below a small shell that reads the channel's input. When the input ends (closed by the client,
process killed, connection lost), the shell ends the whole session and reports whether any of its
processes is left. Its messages are marks within the output streams, separated from the command's
own output by a random marker.
"""

from __future__ import annotations

import base64
import math
import re
import secrets
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from guardia.tools.command import Command, Script
from guardia.tools.output import decode, sanitize

_GRACE_SECONDS = 10
"""Seconds after the command's own limit until the server ends it even if the input stays open."""
_MAX_MARK_BYTES = 100
_MAX_LINE_BYTES = 8_192

# For any POSIX sh. $0 tag of the fence guard, $1 marker, $2 bytes of input to come (base64), $3
# seconds, $4 command. The input is read whole before the command starts: half an input starts
# nothing, and a command that never reads it cannot hide the end of the channel. A guarded command
# waits for at least a dot, which is not part of its input. `timeout` bounds the command even if the
# network has silently gone. SIGPIPE is ignored late because the command must not inherit that.
# Scanning every process costs a host some milliseconds, times fifty if all are stopped at once: so
# the group is ended first, and one scan usually finds nothing left. The second `wait` does not
# block: the signal that ended the first is repeated.
_SHELL = r"""
n=$1 t=$3 c=$4 i= k= g=1
if [ "$2" != 0 ]; then printf '\036%s:ready\036' "$n" >&2; i=$(head -c "$2"); fi
if [ "${#i}" != "$2" ]; then printf '\036%s:1:1:1\036' "$n" >&2; exit 1; fi
i=${i%.}
exec 3<&0
trap k=1 USR1
if [ -z "$i" ]; then
  setsid timeout -k 3 "$t" sh -c "$c" </dev/null 3<&- &
else
  printf %s "$i" | base64 -d | setsid timeout -k 3 "$t" sh -c "$c" 3<&- &
fi
p=$! i=
trap '' PIPE
( exec >/dev/null 2>&1
  while read -r l; do :; done <&3
  while kill -s USR1 $$; do sleep 0.2; done ) &
w=$!
exec 3<&- </dev/null
printf '\036%s:%s\036' "$n" "$p" >&2
wait "$p"
r=$?
left() {
  a=
  for f in $(grep -lsE "\\) [^Z] [0-9]+ [0-9]+ $p " /proc/[0-9]*/stat); do
    f=${f#/proc/}
    a="$a ${f%/stat}"
  done
  [ -n "$a" ]
}
if [ -n "$k" ]; then
  kill -s TERM -- "-$p" 2>/dev/null
  kill -s CONT -- "-$p" 2>/dev/null
  wait "$p"
  x=0 g=0
  while left; do
    if [ "$x" = 0 ]; then kill -s TERM $a; kill -s CONT $a; fi 2>/dev/null
    x=$((x + 1))
    [ "$x" -lt 10 ] || kill -s KILL $a 2>/dev/null
    [ "$x" -lt 40 ] || break
    sleep 0.05
  done
  [ -n "$a" ] || g=1
fi
printf '\036%s:end\036' "$n"
printf '\036%s:%s:%s:%s\036' "$n" "$r" "${k:-0}" "$g" >&2
exec 2>/dev/null
kill -s KILL "$w"
"""

_GONE = Script(
    "guardia.gone",
    r"""
word="[${1:0:1}]${1:1}$2" session=$3
for look in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  left=0
  if grep -qse "$word" /proc/[0-9]*/cmdline; then left=1; fi
  if [ "$session" != 0 ]; then
    for file in /proc/[0-9]*/stat; do
      line=
      { read -r line < "$file"; } 2>/dev/null || continue
      set -- ${line##*) }
      if [ "${4-}" = "$session" ] && [ "$1" != Z ]; then left=1; fi
    done
  fi
  if [ "$left" = 0 ]; then exit 0; fi
  sleep 0.2
done
exit 1
""",
)

# Only the outermost process with the tag gets the signal: the others are its children, which its
# trap ends. Before that trap is set it has started nothing, and the signal ends it.
_TERMINATE = Script(
    "guardia.end",
    r"""
word="[${1:0:1}]${1:1}$2"
for look in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  found=
  for file in $(grep -lse "$word" /proc/[0-9]*/cmdline || true); do
    pid=${file#/proc/}
    found="$found ${pid%/cmdline} "
  done
  if [ -z "$found" ]; then exit 0; fi
  for pid in $found; do
    line=
    { read -r line < "/proc/$pid/stat"; } 2>/dev/null || continue
    set -- ${line##*) }
    case $found in *" ${2-} "*) continue ;; esac
    kill -s USR1 "$pid" 2>/dev/null || true
    kill -s CONT "$pid" 2>/dev/null || true
  done
  sleep 0.2
done
exit 1
""",
)


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
    return Command.script(_TERMINATE, tag[:half], tag[half:])


@dataclass(frozen=True, slots=True)
class SupervisedCommand:
    """One command with the random marker of its shell's messages."""

    command: Command
    seconds: float
    fence_guard: FenceGuard | None = None
    marker: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def line(self) -> str:
        """The command line for the server's login shell."""
        bound = math.ceil(self.seconds) + _GRACE_SECONDS
        size = len(self.payload)
        name = self.fence_guard.tag if self.fence_guard else "guardia"
        words = ("sh", "-c", _SHELL, name, self.marker, str(size), str(bound))
        return "exec " + shlex.join((*words, self.command.render()))

    @property
    def payload(self) -> bytes:
        """What is sent after the command line: the command's input as base64."""
        return base64.b64encode(self.command.input()) + (b"." if self.fence_guard else b"")

    def gone_check(self, session: int) -> Command:
        """Build a command that succeeds if shell and session (0: unknown) are gone."""
        half = len(self.marker) // 2
        return Command.script(_GONE, self.marker[:half], self.marker[half:], session)


@dataclass(frozen=True, slots=True)
class ShellExit:
    """The shell's last message."""

    exit: int
    killed: bool
    """It was ended because the channel's input was closed."""
    gone: bool
    """No process of its session is left."""


class OutputStream:
    """One output stream: the command's bytes, bounded, with the shell's marks taken out."""

    def __init__(
        self, marker: str, limit: int, on_text: Callable[[str], None] | None = None
    ) -> None:
        self.marks: list[str] = []
        self.truncated = False
        self._start = f"\x1e{marker}:".encode()
        self._limit = limit
        self._on_text = on_text
        self._kept = bytearray()
        self._pending = b""
        self._line = b""

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._pending += data
        while (at := self._pending.find(self._start)) >= 0:
            close = self._pending.find(b"\x1e", at + len(self._start))
            if close < 0:
                break
            self._keep(self._pending[:at])
            inside = self._pending[at + len(self._start) : close]
            self.marks.append(inside[:_MAX_MARK_BYTES].decode("ascii", "replace"))
            self._pending = self._pending[close + 1 :]
        cut = self._incomplete_mark()
        self._keep(self._pending[:cut])
        self._pending = self._pending[cut:]

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


_EXIT_MARK = re.compile(r"(\d{1,3}):([01]):([01])")


def find_session(stderr: OutputStream) -> int:
    """Return the session id of the command; 0 if it is not known to have started."""
    return next((int(m) for m in stderr.marks if re.fullmatch(r"[0-9]{1,9}", m)), 0)


def find_exit(stderr: OutputStream) -> ShellExit | None:
    """Return the shell's last message if it has arrived."""
    for mark in stderr.marks:
        if match := _EXIT_MARK.fullmatch(mark):
            return ShellExit(int(match[1]), match[2] == "1", match[3] == "1")
    return None
