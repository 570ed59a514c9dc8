"""Declaration of a tool: one operation on a server, as a value.

A tool carries its own safety rules: what must hold before, how the effect is verified, and what
undoes it. All of it derives from the arguments, so a plan is concrete when it is filed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import CommandFailed, ProgrammerError, Unreadable
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command
from guardia.tools.findings import FindingsModel, require_bounded
from guardia.tools.output import Output, require_success

Findings = dict[str, Any]
ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]

_SEEN_CHARACTERS = 200
"""Characters of an unreadable answer that are shown as evidence."""
_NAME = re.compile(r"[a-z]+\.[a-z_]+")


class ToolArgs(BaseModel):
    """Arguments of a tool: frozen, strict, no unknown fields, every text bounded by a pattern."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    generated: ClassVar[frozenset[str]] = frozenset()
    """Arguments that are made up for each plan: calls that differ only in them mean the same."""


class ServiceArgs(ToolArgs):
    """Arguments of a tool that acts on a service of the host."""

    service: ServiceName


@dataclass(frozen=True, slots=True)
class EvidenceChoice:
    """The findings that list the permitted values of an argument.

    An argument without a choice may have any value that its type permits.
    """

    argument: str
    read: str
    """The tool whose findings list the values."""
    rows: str
    """JMESPath to the list in its findings."""
    value: str = "@"
    """JMESPath from a row to the argument's value."""
    follows: Mapping[str, str] = field(default_factory=dict)
    """Other arguments that follow from the same row, as JMESPath."""


A = TypeVar("A", bound=ToolArgs)


Right = tuple[str, ...]
"""A command that sudo must permit: the program's full path and its exact arguments."""


class PatternWord(str):
    """An argument of a right that varies within a fixed form: an example, and sudo's pattern."""

    pattern: str

    def __new__(cls, example: str, pattern: str) -> PatternWord:
        """Create one; the pattern has only single characters and classes of them, never `*`."""
        word = super().__new__(cls, example)
        word.pattern = pattern
        return word


def no_rights(_host: Host, _service: Service | None) -> tuple[Right, ...]:
    """Return no rights: the tool acts as the plain account."""
    return ()


def no_checks(_args: ToolArgs) -> tuple[Check, ...]:
    """Return no checks."""
    return ()


@dataclass(frozen=True)
class Tool(Generic[A]):
    """One operation on a server.

    A read has no undo; any other tool has exactly one of `undo` and `irreversible`.
    """

    name: str
    """`family.verb`; its texts are `tools.<name>.title` and `tools.<name>.effect`."""
    risk: Risk
    args: type[A]
    command: Callable[[A, Host], Command]
    """Builds the command. Raises `Refused` if the host lacks the service or an entry it needs."""
    parse: Callable[[Output], Findings]
    """Builds the findings. Raises `CommandFailed` if the command did not succeed.

    Its result is validated by `findings`; any other error that it raises is an unreadable answer.
    """
    findings: type[FindingsModel]
    """Schema of the findings: types and bounds."""
    precheck: Callable[[A], tuple[Check, ...]] = no_checks
    verify: Callable[[A], tuple[Check, ...]] = no_checks
    undo: Callable[[A], ToolCall] | None = None
    undo_verify: Callable[[A], tuple[Check, ...]] = no_checks
    irreversible: str | None = None
    """Text key of the reason why there is no undo."""
    difference: Callable[[A], str] | None = None
    """Builds the difference to what is there, as a unified diff for the people who approve."""
    choices: tuple[EvidenceChoice, ...] = ()
    """What the evidence says about the arguments."""
    timeout: float = 30.0
    """Maximum seconds that the command may take."""
    kinds: tuple[str, ...] = ()
    """Kinds of services on which it acts; empty: on the server itself."""
    platforms: tuple[str, ...] = ("linux",)
    """Where it works: `linux`, `systemd`, `script`, `nginx`, `tomcat`, `postgresql`, ..."""
    requires: tuple[str, ...] = ()
    """Programs that it needs on the server; `ss|netstat`: one of them."""
    rights: Callable[[Host, Service | None], tuple[Right, ...]] = no_rights
    """What sudo must permit for it on a host, for one of its services."""
    tried_on: tuple[str, ...] = ()
    """Where it was run, verified and undone: `fleet`, `debian-12`, ..."""
    manual: str = ""
    """Source of a tool that could only be written by its vendor's manual. Such a change is off
    until an operator enables it."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ProgrammerError(why=f"tool name {self.name!r}")
        ways_back = (self.undo is not None) + (self.irreversible is not None)
        if ways_back != (0 if self.risk is Risk.READ else 1):
            raise ProgrammerError(why=f"{self.name} must say how it is undone, or why not")
        schema = require_bounded(self.name, self.findings)
        object.__setattr__(self, "parse", _validated(self.name, self.parse, schema))


def stdout_parser(name: str, reader: Callable[[str], Findings]) -> Callable[[Output], Findings]:
    """Build a `parse` function from a reader of the standard output of a successful command."""
    return lambda output: reader(require_success(name, output))


def _validated(
    name: str, parse: Callable[[Output], Findings], schema: type[FindingsModel]
) -> Callable[[Output], Findings]:
    """Return `parse` with its findings validated.

    A server may answer anything: JSON nested too deep, a number too long, a year that no calendar
    has. Each error is the fault of the answer.
    """

    def validated(output: Output) -> Findings:
        try:
            return schema.model_validate(parse(output)).model_dump(exclude_unset=True)
        except CommandFailed:
            raise
        except Exception as error:
            raise Unreadable(tool=name, seen=_excerpt(output.stdout)) from error

    return validated


def _excerpt(text: str) -> str:
    """Return the beginning of an answer as one line."""
    cut = text[: 4 * _SEEN_CHARACTERS]
    words = "".join(c if c.isprintable() else " " for c in cut).split()
    return " ".join(words)[:_SEEN_CHARACTERS] or t("tools.output.nothing")


def success_findings(_text: str) -> Findings:
    """Return the findings of a change whose success says everything."""
    return {"done": True}


def jmespath_literal(value: object) -> str:
    """Format `value` as a JMESPath literal for the `expect` of a check."""
    return "`" + json.dumps(value, ensure_ascii=False).replace("`", "\\u0060") + "`"
