"""Move the work of an issue to another server, before anything was changed on the first one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.audit.kinds import EntryKind
from guardia.board.control import rollback
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, Move, State
from guardia.board.core.lookup import lock_tasks
from guardia.board.core.model import Directive, Issue, Task
from guardia.board.core.transitions import move_task
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues import changing
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Refused
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server
from guardia.text import MAX_REASON, trim

ACTION = "issue.organize"
_VERB = "reanalyze"
_MOVABLE = (State.PARSED, State.PENDING_APPROVAL, State.MANUAL)
_MOST = 500


def servers_for(session: Session, issue: Issue) -> list[str]:
    """Return the servers of the issue's institution; of all, as long as it has none."""
    query = select(Server.server_id).order_by(Server.server_id).limit(_MOST)
    if issue.inst_id is not None:
        query = query.where(Server.inst_id == issue.inst_id)
    return list(session.scalars(query))


@repeat_on_conflict
def set_server(
    board: BoardContext, person: PersonInfo, sr_id: int, server: str, reason: str = ""
) -> None:
    """Give the one open task of an issue another server; its agent diagnoses there from the start.

    A plan for the first server and its approvals no longer count. Raises `Refused` once it is
    approved or running, and for an issue with work on several servers.
    """
    require_permission(person, f"directive.{_VERB}")
    now, why, by = board.clock(), trim(reason, MAX_REASON), Actor.of(person)
    with board.database.transaction() as session:
        tasks = lock_tasks(session, Task.sr_id == sr_id)
        issue = changing.lock_for(session, person, sr_id, ACTION)
        task = _only_open(tasks)
        before = task.target_server
        if before == server:
            return
        if server not in servers_for(session, issue):
            raise Invalid(what=t("web.column.server"), why=t("issue.no_such_server"), field="value")
        wake_budget.renew(session, sr_id, by, now)
        detail: dict[str, Any] = {"server": server, "before": before}
        directive = rollback.create_directive(session, task, _VERB, by, why, now, detail=detail)
        requests.void(session, task)
        _start_over(session, task, server, now)
        issue.updated_at = now
        _wake_agent(session, task, directive, by, now)
        session.flush()
        rollback.record_directive(session, directive, by, now, server)
        words = {"server": server, "before": before or "-"}
        changing.record(session, EntryKind.SERVER_SET, person, now, sr_id, detail, **words)


def _only_open(tasks: Any) -> Task:
    found = [task for task in tasks if State(task.status) in OPEN_STATES]
    if len(found) != 1:
        raise Refused(why=t("issue.several_servers" if found else "issue.no_open_task"))
    task: Task = found[0]
    if State(task.status) not in _MOVABLE:
        raise Refused(why=t("issue.server_fixed", state=t(f"state.{task.status}")))
    return task


def _start_over(session: Session, task: Task, server: str, now: datetime) -> None:
    fresh = {"attempt": task.attempt + 1, "plan": None, "plan_hash": None, "category": None}
    task.target_server = server
    if task.status == State.PENDING_APPROVAL:
        move_task(
            session, task, Move.RETURN, actor=ActorKind.PERSON, now=now, **fresh, run_after=None
        )
        return
    for name, value in fresh.items():
        setattr(task, name, value)
    task.updated_at = now


def _wake_agent(
    session: Session, task: Task, directive: Directive, by: Actor, now: datetime
) -> None:
    if task.agent_id and task.status == State.PARSED:
        cause = {"directive": directive.directive_id, "verb": _VERB}
        wake(session, task.agent_id, WakeReason.DIRECTIVE, now, task.sr_id, cause=cause, by=by)
