"""Diagnose issues again: one, or those of a server in the last minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from guardia.board.control import directives, reopening
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues import visibility
from guardia.errors import Refused, UserError
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

MAX_ISSUES = 20
"""Issues that one command diagnoses again."""
_VERB = {
    State.PARSED: "reanalyze",
    State.PENDING_APPROVAL: "reanalyze",
    State.APPROVED: "reanalyze",
    State.MANUAL: "return",
}


@dataclass(frozen=True, slots=True)
class RecentIssues:
    """The newest issues of a server, and how many there are in all."""

    numbers: tuple[int, ...]
    total: int


def reanalyze(
    board: BoardContext, person: PersonInfo, sr_id: int, reason: str, server: str | None = None
) -> int:
    """Have the agents of an issue diagnose again, on one server or all; return how many tasks.

    What has ended is reopened. Raises `Refused` if everything is in progress or just begun.
    """
    require_permission(person, "directive.reanalyze")
    visibility.require_issue(board, person, sr_id)
    tasks = _tasks(board, sr_id, server)
    if tasks and all(state in ENDED_STATES for state in tasks.values()):
        reopening.reopen(board, person, sr_id, reason)
        return len(tasks)
    wanted = {task: _VERB[state] for task, state in tasks.items() if state in _VERB}
    if not wanted:
        raise Refused(why=t("commands.nothing_to_reanalyze"))
    for task_id, verb in wanted.items():
        directives.issue_directive(board, person, task_id, DirectiveRequest(verb, reason))
    return len(wanted)


def _tasks(board: BoardContext, sr_id: int, server: str | None) -> dict[int, State]:
    query = select(Task.task_id, Task.status).where(Task.sr_id == sr_id).order_by(Task.task_id)
    if server is not None:
        query = query.where(Task.target_server == server)
    with board.database.reading() as session:
        return {task_id: State(status) for task_id, status in session.execute(query)}


def recent_issues(
    board: BoardContext, viewer: PersonInfo, server: str, within: timedelta
) -> RecentIssues:
    """Return the issues of a server that were received within a span, the newest first."""
    query = (
        select(Task.sr_id, func.count().over())
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(
            Task.target_server == server,
            Issue.created_at >= board.current_time() - within,
            visibility.visible_to(viewer),
        )
        .group_by(Task.sr_id)
        .order_by(Task.sr_id.desc())
        .limit(MAX_ISSUES)
    )
    with board.database.reading() as session:
        rows = session.execute(query).all()
    return RecentIssues(tuple(row[0] for row in rows), rows[0][1] if rows else 0)


def reanalyze_recent(
    board: BoardContext, person: PersonInfo, server: str, within: timedelta, reason: str
) -> tuple[list[int], dict[int, str]]:
    """Diagnose the recent issues of a server again; return those begun, and why others were not."""
    require_permission(person, "directive.reanalyze")
    begun, left = list[int](), dict[int, str]()
    for sr_id in recent_issues(board, person, server, within).numbers:
        try:
            reanalyze(board, person, sr_id, reason, server)
            begun.append(sr_id)
        except UserError as error:
            left[sr_id] = str(error)
    return begun, left
