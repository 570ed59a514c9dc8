"""Text of a configuration file, and the values of one key in it; secrets are masked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.families.config.places import FileArgs, file_plan, read_rights
from guardia.tools.families.config.shell import OPEN_FILE
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Moment
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.tool import Findings, Tool, stdout_parser

MAX_TEXT = 32_768
"""Characters of a file that can be planned: people read the whole difference."""

_READ = Script(
    "config.read",
    AS_ROOT
    + OPEN_FILE
    + r"""
require_shown
printf 'path %s\nmodified %s\nlines %s\n' "$real" "$(stat -c %Y -- "$real" 2>/dev/null || echo 0)" \
  "$(show | awk 'END { print NR }')"
show | head -c 131072
""",
)

_VALUE = Script(
    "config.value",
    AS_ROOT
    + r"""
style=$1 section=$2 key=$3
shift 3
"""
    + OPEN_FILE
    + r"""
require_shown
printf '%s\n%s\n%s\n' "$style" "$section" "$key"
show | head -c 900000
""",
)

Style = Literal["ini", "spaced", "semicolon"]
"""`key = value` with sections (INI, properties, systemd), `key value` (sshd, Apache),
`key value;` (nginx)."""
Section = Annotated[str, StringConstraints(pattern=r"^[^\[\]\x00-\x1f\x7f]{0,100}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
Value = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,500}$")]


class KeyArgs(FileArgs):
    """A key in a configuration file."""

    key: Key
    section: Section = ""
    style: Style = "ini"


class TextFindings(FindingsModel):
    """A file as people may see it, and a digest of exactly this."""

    path: FilePath
    modified: Moment | None
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)]
    lines: Count
    digest: Annotated[str, StringConstraints(max_length=64)]
    masked: bool
    """Whether a secret in it is hidden."""


class ValueFindings(FindingsModel):
    """All values of a key, in the order of the file."""

    values: Annotated[list[Line], Field(max_length=20)]


def digest(text: str) -> str:
    """Return the digest of a text as people see it."""
    return hashlib.sha256("\n".join(text_lines(text)).encode()).hexdigest()


def text_lines(text: str) -> list[str]:
    """Return the lines of a text, without an empty one after the last line break."""
    lines = text.replace("\r", "").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _read(args: FileArgs, host: Host) -> Command:
    return privileged_script(host, _READ, *file_plan(host, args).arguments)


def _read_text(text: str) -> Findings:
    path, modified, count, body = text.split("\n", 3)
    lines = text_lines(body)
    if len(lines) != int(count.removeprefix("lines ")):
        raise ValueError("the text cannot be shown line by line")
    at = int(modified.removeprefix("modified "))
    shown = "\n".join(lines) + "\n"
    return {
        "path": path.removeprefix("path "),
        "modified": _moment(at) if at else None,
        "text": shown,
        "lines": len(lines),
        "digest": digest(shown),
        "masked": "***" in shown,
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _value(args: KeyArgs, host: Host) -> Command:
    plan = file_plan(host, args)
    return privileged_script(host, _VALUE, args.style, args.section, args.key, *plan.arguments)


def _read_value(text: str) -> Findings:
    style, section, key, body = text.split("\n", 3)
    found = list(values_of(body, style, section, key))
    return {"values": [value[:900] for value in found[:20]]}


_SECTION = re.compile(r"\s*\[(.*)\]\s*")
_PAIR = re.compile(r"\s*([^#;\s=:][^=:]*?)\s*[=:]\s*(.*?)\s*")
_SPACED = re.compile(r"\s*([^#\s<]\S*)\s+(.*?)\s*")
_SEMICOLON = re.compile(r"\s*([^#\s{}]\S*)\s+([^;{}]*?)\s*;\s*(?:#.*)?")


def values_of(text: str, style: str, section: str, key: str) -> Iterator[str]:
    """Return the values of a key, by the rules by which `config.set` finds it."""
    within, depth = "", 0
    for line in text_lines(text):
        if style == "ini" and (title := _SECTION.fullmatch(line)):
            within = title[1].strip()
        elif style == "spaced" and re.match(r"\s*(?:<[^/]|[Mm]atch\s)", line):
            depth += 1
        elif style == "spaced" and re.match(r"\s*</", line):
            depth -= 1
        pattern = {"ini": _PAIR, "spaced": _SPACED, "semicolon": _SEMICOLON}[style]
        pair = pattern.fullmatch(line)
        if not pair or depth or (style == "ini" and within != section):
            continue
        same = pair[1].lower() == key.lower() if style == "spaced" else pair[1] == key
        if same:
            yield pair[2]


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="config.read",
        risk=Risk.READ,
        args=FileArgs,
        command=_read,
        parse=stdout_parser("config.read", _read_text),
        findings=TextFindings,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        rights=read_rights,
    ),
    Tool(
        name="config.value",
        risk=Risk.READ,
        args=KeyArgs,
        command=_value,
        parse=stdout_parser("config.value", _read_value),
        findings=ValueFindings,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        rights=read_rights,
    ),
)
