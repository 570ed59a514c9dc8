"""Open an issue for one action on one server, both known from a person's command."""

from __future__ import annotations

from dataclasses import dataclass

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
    board: BoardContext, person: PersonInfo, server: str, action_type: str, origin: WorkOrigin
) -> int:
    """Open an issue that names the server and the action; return its number.

    It is triaged, planned and approved like any other: its text holds the server's id and the
    usual words for the action, not what the person typed. Raises `NotFound` for a server that the
    person may not see.
    """
    require_permission(person, "issue.create")
    if action_type not in READING_WORK | CHANGING_WORK:
        raise Invalid(what=action_type, why=", ".join(sorted(READING_WORK | CHANGING_WORK)))
    with board.database.reading() as session:
        host = registry.host(session, server)
    if person.role == "customer" and host.institution != person.institution:
        raise NotFound(what=server)
    text = t_default(f"commands.work.{action_type}", server=server)
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
        origin={"command": origin.words, "server": server, "action_type": action_type},
    )
    return receiving.receive_issue(board, new)
