"""Output of a remote command, sanitized: servers are not trusted to print only text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from guardia.errors import CommandFailed
from guardia.i18n import t
from guardia.text import mask_secrets

ERROR_CHARACTERS = 600
"""Maximum length of a failed command's output in an error."""

_TERMINAL_SEQUENCES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])"
)
# C0 and C1 controls except tab and newline, and the marks that reorder text on a page.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


_SHELL_CHARACTERS = 200
"""Maximum length of what a login shell said instead of running a command."""
_SHELLS = {
    "nologin": r"account is currently not available|account is not available",
    "git-shell": r"fatal: (unrecognized command|Interactive git shell)",
    "rssh": r"restricted by rssh",
    "rbash": r"^rbash: ",
    "lshell": r"\*\*\* (forbidden|unknown)",
    "csh": r"Command not found\.$",
}
_NOT_RUN = (126, 127)
_MISSING = (
    r"(?:^|\s)([\w./+-]{1,100}): (?:command )?not found$",
    r"^setsid: failed to execute ([\w./+-]{1,100}):",
    r"^(?:setsid|timeout): .*?['‘\"]([\w./+-]{1,100})['’\"]",
)
"""What is said of a program that is not there, by every common shell and in every language."""
_KOREAN = re.compile(r"[\x00-\x7f\u3000-\u318e\uac00-\ud7a3]*")


class ExitReason(StrEnum):
    """Why a command is no longer running, as far as the client knows."""

    EXITED = "exited"
    """It ended by itself; `exit` holds its status."""
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    FLOODED = "flooded"
    """It sent more than the client takes and was ended."""
    LOST = "lost"
    """The connection broke after the command may have started; its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Output:
    """Result of one remote command."""

    exit: int | None
    """Exit status, or 128 + signal number. `None` unless the command ended by itself."""
    stdout: str
    stderr: str
    seconds: float
    """From the request to the end, measured by the client."""
    truncated: bool = False
    """Whether some output was dropped because it exceeded the limit."""
    exit_reason: ExitReason = ExitReason.EXITED
    left: int | None = 0
    """Processes that it started and that still run on the server; `None` if the server has not
    said. 0 if it ended by itself: a service that it started does not count."""
    unclear: int = 0
    """Processes there that may be its own and show no sign of it; see
    `transport/remote_scripts.py`."""
    no_shell: bool = False
    """Whether the login shell never ran the command: what arrived is what that said instead."""
    kept: int = 0
    """Processes that it was to leave behind, as declared, and that still run."""

    @property
    def is_confirmed_gone(self) -> bool:
        """Whether the server has confirmed that none of its processes is left."""
        return self.left == 0 and self.unclear == 0


def sanitize(text: str) -> str:
    """Return `text` without control characters, with likely secrets and personal numbers masked."""
    plain = _CONTROLS.sub("", _TERMINAL_SEQUENCES.sub("", text))
    return mask_secrets(plain)


def decode(raw: bytes) -> str:
    """Decode bytes from a server as sanitized text: each line as UTF-8 or, if it is none, as CP949.

    CP949 includes EUC-KR, which many Korean servers still write. Bytes that are neither are shown
    as escapes, never as U+FFFD, because evidence must not hide what was there.
    """
    if not raw:
        return ""
    try:
        return sanitize(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return sanitize("\n".join(map(_decode_line, raw.split(b"\n"))))


def _decode_line(line: bytes) -> str:
    for piece in (line, line[:-1]):  # a limit may have cut the last character
        try:
            text = piece.decode("cp949") + line[len(piece) :].decode("ascii", "backslashreplace")
        except UnicodeDecodeError:
            continue
        if _KOREAN.fullmatch(text) or not _is_cut_utf8(line):
            return text
    return line.decode("utf-8", "backslashreplace")


def _is_cut_utf8(line: bytes) -> bool:
    """Return whether only the first or last character is incomplete, and others are not ASCII.

    Such a line can often be decoded as CP949 too, as rare characters.
    """
    start = next((n for n, byte in enumerate(line[:4]) if byte & 0xC0 != 0x80), 0)
    for end in range(len(line), max(start, len(line) - 4), -1):
        try:
            return not line[start:end].decode("utf-8").isascii()
        except UnicodeDecodeError:
            continue
    return False


def require_success(tool: str, output: Output) -> str:
    """Return the standard output of a command. Raises `CommandFailed` if it did not succeed."""
    if output.no_shell:
        raise CommandFailed(tool=tool, exit=output.exit or "-", output=describe_shell(output))
    if output.exit_reason is not ExitReason.EXITED:
        raise CommandFailed(tool=tool, exit="-", output=t(f"tools.output.{output.exit_reason}"))
    if output.exit in _NOT_RUN and (program := missing_program(output.stderr)):
        what = t("tools.output.missing", program=program)
        raise CommandFailed(tool=tool, exit=output.exit, output=what)
    if output.exit != 0:
        printed = output.stderr.strip() or output.stdout.strip()
        raise CommandFailed(tool=tool, exit=output.exit, output=printed[-ERROR_CHARACTERS:])
    if output.truncated:
        raise CommandFailed(tool=tool, exit=0, output=t("tools.output.truncated"))
    return output.stdout


def missing_program(errors: str) -> str:
    """Return the program that could not be started because it is not there, or nothing."""
    last = errors.strip().rpartition("\n")[2]
    found = next((m for text in _MISSING if (m := re.search(text, last))), None)
    return found[1] if found else ""


def describe_shell(output: Output) -> str:
    """Say of a login shell that it runs no commands, which shell it seems to be, and what to do."""
    said = (output.stderr.strip() or output.stdout.strip())[:_SHELL_CHARACTERS].split("\n")[0]
    known = next((name for name, text in _SHELLS.items() if re.search(text, said)), "")
    shell = t("tools.ssh.shell_known", shell=known) if known else ""
    return t("tools.ssh.shell_refuses", said=said or t("tools.output.nothing"), shell=shell)
