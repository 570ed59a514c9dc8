"""Remote commands as values: quoted by structure, masked by type.

Values never become shell text. Arguments are quoted one by one. The text of a script is a constant
of this code; its values arrive as `$1`, `$2`, ... A `Secret` can only be sent as standard input,
because every account of a server can read every command line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Literal, LiteralString, Never

from guardia.errors import Invalid, ProgrammerError
from guardia.i18n import t

Argument = str | int | PurePosixPath

MASK = "***"
MAX_COMMAND_BYTES = 100_000
"""Maximum bytes of a rendered command; Linux accepts no argument of more than 128 KiB."""
MAX_INPUT_BYTES = 1_000_000
"""Maximum bytes of standard input."""

_PLAIN_PROGRAM = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*")
_RESERVED = re.compile(
    "!|{|}|case|do|done|elif|else|esac|fi|for|function|if|in|select|then|time|until|while"
)
_SCRIPT_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_PROLOGUE = "set -euo pipefail\nexport LC_ALL=C\n"
# bash opens a network connection, or one of its own descriptors, for these names.
_SPECIAL_FILE = re.compile(r"/dev/(tcp|udp|fd|stdin|stdout|stderr)(/|$)")


class Secret:
    """A text that is sent to the server but never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for sending only, never for a message."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> Never:
        raise ProgrammerError(why=t("tools.command.secret_written"))


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A credential that the transport takes from the store when it sends the command."""

    name: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored content that is on the server before the command starts."""

    sha256: str
    size: int

    @property
    def path(self) -> str:
        """Where it arrives, relative to the account's home: its name says what it must become."""
        return f".guardia/{self.sha256}.part"


@dataclass(frozen=True, slots=True)
class Script:
    """A bash script in strict mode whose text is a constant of this code."""

    name: str
    """`$0` of the script: shown in its messages and in the server's process list."""
    text: LiteralString

    def __post_init__(self) -> None:
        if not _SCRIPT_NAME.fullmatch(self.name):
            raise ProgrammerError(why=f"script name {self.name!r}")
        _require_passable(self.text)


@dataclass(frozen=True, slots=True)
class _Redirect:
    operator: Literal["<", ">", ">>"]
    path: str

    def render(self) -> str:
        return f"{self.operator}{shlex.quote(self.path)}"


@dataclass(frozen=True, slots=True)
class _Stage:
    argv: tuple[str, ...]
    redirects: tuple[_Redirect, ...] = ()

    def render(self) -> str:
        words = [_program(self.argv[0]), *map(shlex.quote, self.argv[1:])]
        return " ".join(words + [r.render() for r in self.redirects])


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """One command line. Built with `of`, `script`, `|` and the `with_*` methods."""

    stages: tuple[_Stage, ...]
    stdin: tuple[str | Secret | StoredSecret, ...] = field(default=())
    leaves_children: bool = False
    upload: Upload | None = None

    @classmethod
    def of(cls, program: Argument, /, *arguments: Argument) -> Command:
        """Build a command from a program and its arguments; each arrives unchanged."""
        words = tuple(_argument(piece) for piece in (program, *arguments))
        if not words[0]:
            raise Invalid(what=t("tools.command.argument"), why=t("tools.command.no_program"))
        return cls((_Stage(words),))

    @classmethod
    def script(cls, script: Script, /, *arguments: Argument) -> Command:
        """Build a command from a bash script; `arguments` become its positional parameters."""
        return cls.of("bash", "-c", _PROLOGUE + script.text, script.name, *arguments)

    def __or__(self, following: Command) -> Command:
        """Build a pipeline, which fails if any stage fails."""
        if following.stdin:
            raise ProgrammerError(why="the second stage of a pipeline already has an input")
        leaves = self.leaves_children or following.leaves_children
        return replace(self, stages=self.stages + following.stages, leaves_children=leaves)

    def with_stdin_from(self, path: Argument) -> Command:
        """Read the first stage's standard input from a file on the server."""
        if self.stdin:
            raise ProgrammerError(why="a command has one standard input")
        return self._redirected(0, _Redirect("<", _require_file(path)))

    def with_stdout_to(self, path: Argument, *, append: bool = False) -> Command:
        """Write the last stage's standard output to a file on the server."""
        return self._redirected(-1, _Redirect(">>" if append else ">", _require_file(path)))

    def with_input(self, *pieces: str | Secret | StoredSecret) -> Command:
        """Send `pieces`, joined, as standard input: the only place for a secret."""
        if any(r.operator == "<" for r in self.stages[0].redirects):
            raise ProgrammerError(why="a command has one standard input")
        known = (p for p in pieces if not isinstance(p, StoredSecret))
        if len(_joined(known)) > MAX_INPUT_BYTES:
            raise Invalid(what=t("tools.command.input"), why=t("tools.command.too_long"))
        return replace(self, stdin=pieces)

    def with_secrets(self, get: Callable[[str], str]) -> Command:
        """Fill in the stored secrets, one line each, for sending only."""
        if not any(isinstance(p, StoredSecret) for p in self.stdin):
            return self
        pieces = (
            Secret(get(p.name).rstrip("\r\n") + "\n") if isinstance(p, StoredSecret) else p
            for p in self.stdin
        )
        return replace(self, stdin=tuple(pieces))

    def with_upload(self, upload: Upload) -> Command:
        """Bring a stored content onto the server before the command starts."""
        return replace(self, upload=upload)

    def leaving_children(self) -> Command:
        """Declare that the command starts a service that outlives it.

        When it is cancelled or exceeds its limit, only its shells end; see
        `transport/remote_scripts.py`. A command that exits by itself leaves what it started in any
        case.
        """
        return replace(self, leaves_children=True)

    @property
    def words(self) -> tuple[str, ...]:
        """The programs, arguments and redirected files of all stages, without script texts."""
        found: list[str] = []
        for stage in self.stages:
            is_script = stage.argv[:2] == ("bash", "-c")
            found += stage.argv[3 if is_script else 0 :]
            found += [redirect.path for redirect in stage.redirects]
        return tuple(found)

    def input(self) -> bytes:
        """Return the bytes of standard input, secrets included."""
        return _joined(self.stdin)

    def render(self) -> str:
        """Return the command in POSIX shell syntax, as it is sent."""
        line = " | ".join(stage.render() for stage in self.stages)
        if len(self.stages) > 1:
            # Not every plain sh has pipefail: a failing first stage would go unnoticed.
            line = f"bash -o pipefail -c {shlex.quote(line)}"
        if len(line.encode()) > MAX_COMMAND_BYTES:
            raise Invalid(what=t("tools.command.argument"), why=t("tools.command.too_long"))
        return line

    @property
    def masked(self) -> str:
        """The command as shown to people: exactly what runs, with secrets masked."""
        if not self.stdin:
            return self.render()
        shown = "".join(p if isinstance(p, str) else MASK for p in self.stdin)
        return f"{self.render()} <<< {shlex.quote(shown)}"

    def __repr__(self) -> str:
        return f"Command({self.masked!r})"

    __str__ = __repr__

    def _redirected(self, index: int, redirect: _Redirect) -> Command:
        stages = list(self.stages)
        stages[index] = replace(stages[index], redirects=(*stages[index].redirects, redirect))
        return replace(self, stages=tuple(stages))


def _joined(pieces: Iterable[str | Secret | StoredSecret]) -> bytes:
    texts = []
    for piece in pieces:
        if isinstance(piece, StoredSecret):
            raise ProgrammerError(why="a stored secret has not been filled in")
        texts.append(piece.reveal() if isinstance(piece, Secret) else piece)
    return "".join(texts).encode()


def _argument(piece: Argument) -> str:
    if isinstance(piece, Secret):
        raise ProgrammerError(why=t("tools.command.secret_argument"))
    if isinstance(piece, bool) or not isinstance(piece, str | int | PurePosixPath):
        raise ProgrammerError(why=f"a {type(piece).__name__} is no argument")
    return _require_passable(str(piece))


def _require_passable(text: str) -> str:
    """Return `text`. Raises `Invalid` if it cannot be passed as a process argument."""
    try:
        fits = b"\0" not in text.encode()
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise Invalid(what=t("tools.command.argument"), why=t("tools.command.unpassable"))
    return text


def _program(name: str) -> str:
    """Quote a program name so that the shell reads no reserved word or assignment."""
    plain = _PLAIN_PROGRAM.fullmatch(name) and not _RESERVED.fullmatch(name)
    return name if plain else "'" + name.replace("'", "'\"'\"'") + "'"


def _require_file(path: Argument) -> str:
    name = _argument(path)
    if not name.startswith("/") or _SPECIAL_FILE.match(name):
        raise Invalid(what=t("tools.command.argument"), why=t("tools.command.not_a_file"))
    return name
