"""Lines of a log that contain a text, within a window of time."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.journal import JOURNAL
from guardia.tools.families.logs.source import (
    READ_LOG,
    WindowArgs,
    log_command,
    log_rights,
    read_window,
)
from guardia.tools.families.service import PROCESS_KINDS
from guardia.tools.findings import Count, FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT
from guardia.tools.tool import Findings, Tool, stdout_parser

_MAX_LINES = 200

# The text is looked for as it is and in the encoding of the log, byte by byte.
_SEARCH = Script(
    "logs.search",
    AS_ROOT
    + JOURNAL
    + READ_LOG
    + r"""
scan=64000000
alike=$(printf "$encoded")
keep() {
  LC_ALL=C grep -aF -e "$word" -e "${alike:-$word}" -e unreadable-source | plain || true
}
read_log "$@"
""",
)


class SearchArgs(WindowArgs):
    """A text to look for."""

    text: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{2,100}$")]


class FoundLine(FindingsModel):
    """A line and when it was logged."""

    at: Moment | None
    level: Annotated[str, StringConstraints(max_length=10)]
    text: Line


class SearchFindings(FindingsModel):
    """The newest lines that contain the text, and how many do."""

    count: Count
    first: Moment | None
    last: Moment | None
    lines: Annotated[list[FoundLine], Field(max_length=_MAX_LINES)]
    cut: bool
    unreadable: Annotated[list[Word], Field(max_length=50)]


def _search(args: SearchArgs, host: Host) -> Command:
    encoding = target.service_on(host, args.service).encoding
    return log_command(host, _SEARCH, args, (args.text, _escaped(args.text, encoding)))


def _escaped(text: str, encoding: str) -> str:
    """Return the bytes of a text in an encoding as escapes of printf; empty if it has none."""
    try:
        return "".join(f"\\{byte:03o}" for byte in text.encode(encoding))
    except (LookupError, UnicodeEncodeError):
        return ""


def _read_search(text: str) -> Findings:
    window = read_window(text)
    times = [line.at for line in window.lines if line.at]
    return {
        "count": len(window.lines),
        "first": min(times).isoformat() if times else None,
        "last": max(times).isoformat() if times else None,
        "lines": [
            {"at": one.at.isoformat() if one.at else None, "level": one.level, "text": one.text}
            for one in window.lines[-_MAX_LINES:]
        ],
        "cut": window.cut,
        "unreadable": [name[:100] for name in window.unreadable[:50]],
    }


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="logs.search",
        risk=Risk.READ,
        args=SearchArgs,
        command=_search,
        parse=stdout_parser("logs.search", _read_search),
        findings=SearchFindings,
        kinds=PROCESS_KINDS,
        tried_on=("debian-12",),
        rights=log_rights,
        timeout=60.0,
    ),
)
