"""Open an issue for one action on one server, both known from a person's command."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from guardia.board.core.context import BoardContext
from guardia.board.issues import receiving
from guardia.board.issues.receiving import NewIssue
from guardia.errors import Invalid, NotFound
from guardia.i18n import t_default
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

READING_WORK = frozenset({"LOG_ANALYSIS", "HEALTH_CHECK", "CERT_CHECK"})
"""Work that reads a server and changes nothing."""
CHANGING_WORK = frozenset({"RESTART", "DEPLOY", "DISK_CLEANUP", "KILL_QUERY", "BACKUP"})


_VERSION = re.compile(r"(?<![\d.])\d+\.\d+\.\d+(?!\.?\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class WorkOrigin:
    """Where a person asked for work, so that replies go there."""

    channel: str
    key: str
    """Names the order: one order opens one issue, however often it is repeated."""
    words: str = ""
    """What the person typed, for the audit log."""
    room: str = ""
    thread: str = ""


def request_work(
    board: BoardContext,
    person: PersonInfo,
    server: str,
    action_type: str,
    origin: WorkOrigin,
    starts_at: datetime | None = None,
) -> int:
    """Open an issue that names the server and the action; return its number.

    It is triaged, planned and approved like any other: its text holds the server's id, the usual
    words for the action and the version that is named, not what the person typed. With
    `starts_at`, it is planned and approved now and begins then. Raises `NotFound` for a server that
    the person may not see.
    """
    require_permission(person, "issue.create")
    if action_type not in READING_WORK | CHANGING_WORK:
        raise Invalid(what=action_type, why=", ".join(sorted(READING_WORK | CHANGING_WORK)))
    with board.database.reading() as session:
        host = registry.host(session, server)
    if person.role == "customer" and host.institution != person.institution:
        raise NotFound(what=server)
    text = t_default(f"commands.work.{action_type}", server=server)
    version = _named_version(origin.words) if action_type == "DEPLOY" else None
    if version:
        text = t_default("commands.work.DEPLOY_VERSION", server=server, version=version)
    new = NewIssue(
        text=text,
        title=text,
        channel=origin.channel,
        sender=f"{person.name} {person.title}".strip(),
        room=origin.room,
        thread=origin.thread,
        requester_id=person.id,
        institution=host.institution,
        external_id=origin.key,
        kind="CHANGE" if action_type == "DEPLOY" else "REQUEST",
        triage={"servers": [server], "action_type": action_type},
        starts_at=starts_at,
        origin={"command": origin.words, "server": server, "action_type": action_type},
    )
    return receiving.receive_issue(board, new)


def _named_version(words: str) -> str | None:
    """Return the version that the words name, unless they name several."""
    found = set(_VERSION.findall(words))
    return found.pop() if len(found) == 1 else None
