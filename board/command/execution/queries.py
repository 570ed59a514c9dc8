"""Questions about the state of things: read-only, and only what the person may see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Select, and_, func, select, true

from guardia.board.approvals import pending
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.command.execution.order import Order, Outcome, issue_path
from guardia.board.command.sentences import target_name
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import format_time
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue, Task
from guardia.board.issues import visibility
from guardia.board.issues.visibility import visible_to
from guardia.board.organization import agent_view
from guardia.i18n import t
from guardia.org.model import Person, Server

_MAX = 10
_OPEN = [s.value for s in OPEN_STATES]
_TOLD_KINDS = (
    EntryKind.ORDERED,
    EntryKind.KILLED,
    EntryKind.RELEASED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.STARTED,
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.COMMANDED,
)


def query(order: Order) -> Outcome:
    """Answer a question."""
    about = str(order.command.params["about"])
    return _ANSWERS[about](order)


PERMISSIONS = {
    "tasks": "issue.read",
    "sr": "issue.read",
    "approvals": "issue.read",
    "workload": "run.read",
    "audit": "audit.read",
    "servers": "server.read",
    "agents": "agent.read",
}


def _rows(order: Order, statement: Select[*tuple[Any, ...]]) -> list[Any]:
    with order.board.database.reading() as session:
        return list(session.execute(statement))


def _listed(head: str, lines: Iterable[str], path: str) -> Outcome:
    return Outcome("\n".join([head, *(f"- {line}" for line in lines)]), None, path)


def _place(order: Order) -> ColumnElement[bool]:
    """Return the condition for tasks on the server or at the institution that is named."""
    directory = order.names.directory
    if not order.target:
        return true()
    if any(i.id == order.target for i in directory.institutions):
        return Issue.inst_id == order.target
    return Task.target_server == order.target


def _tasks_where(order: Order, condition: ColumnElement[bool]) -> list[Any]:
    statement = (
        select(
            Task.sr_id,
            Issue.title,
            Task.status,
            Task.target_server,
            func.count().over().label("total"),
        )
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(condition, visible_to(order.person))
        .order_by(Task.task_id.desc())
        .limit(_MAX)
    )
    return _rows(order, statement)


def _task_line(row: Any) -> str:
    state = t(f"state.{row.status}")
    return f"{issue_ref(row.sr_id)} {row.title[:40]} · {state} · {row.target_server or '-'}"


def _tasks(order: Order) -> Outcome:
    status = order.command.params.get("status")
    wanted = Task.status == status if status else Task.status.in_(_OPEN)
    rows = _tasks_where(order, and_(wanted, _place(order)))
    state = t(f"state.{status}") if status else t("commands.answer.open")
    head = t("commands.answer.tasks", state=state, count=rows[0].total if rows else 0)
    shown = "all" if status else "open"
    words = {"state": shown, "q": order.target} if order.target else {"state": shown}
    return _listed(head, map(_task_line, rows), f"/issues?{urlencode(words)}")


def _issue(order: Order) -> Outcome:
    with order.board.database.reading() as session:
        issue = visibility.find_issue(session, order.person, order.sr_id)
        status, title, engineer = issue.status, issue.title, issue.assignee_id
        agent = issue.agent_id
    rows = _tasks_where(order, Task.sr_id == order.sr_id)
    words = {
        "sr": issue_ref(order.sr_id),
        "title": title,
        "state": t(f"state.{status}"),
        "engineer": target_name(order.names, engineer) or "-",
        "agent": target_name(order.names, agent) or "-",
    }
    plans = pending.pending_plans(order.board, order.sr_id)
    lines = [t("commands.answer.waits", role=t(f"org.role.{p.role}")) for p in plans]
    lines += [f"{r.target_server or '-'}: {t(f'state.{r.status}')}" for r in rows]
    found = _listed(t("commands.answer.sr", **words), lines, issue_path(order.sr_id))
    return Outcome(found.text, order.sr_id, found.path)


def _approvals(order: Order) -> Outcome:
    steps = pending.pending_steps(order.board, order.person)
    lines = (f"{issue_ref(s.sr_id)} {s.title[:40]} · {s.server or '-'}" for s in steps.steps[:_MAX])
    return _listed(t("commands.answer.approvals", count=len(steps)), lines, "/issues")


def _workload(order: Order) -> Outcome:
    if order.target:
        mine = Task.status.in_(_OPEN) & (Task.owner_id == order.target)
        rows = _tasks_where(order, mine)
        words = {"who": target_name(order.names, order.target)}
        head = t("commands.answer.workload_of", count=rows[0].total if rows else 0, **words)
        return _listed(head, map(_task_line, rows), "/issues")
    held = func.count(Task.task_id)
    rows = _rows(
        order,
        select(Person.name, Person.title, held.label("held"))
        .outerjoin(Task, (Task.owner_id == Person.person_id) & Task.status.in_(_OPEN))
        .where(Person.role == "engineer", Person.active)
        .group_by(Person.person_id)
        .order_by(held, Person.name)
        .limit(_MAX),
    )
    lines = (t("commands.answer.held", who=f"{r.name} {r.title}", count=r.held) for r in rows)
    return _listed(t("commands.answer.workload"), lines, "/issues")


def _audit(order: Order) -> Outcome:
    on_server = select(Task.task_id).where(_place_of_task(order))
    condition = AuditEntry.task_id.in_(on_server) if order.target else true()
    rows = _rows(
        order,
        select(AuditEntry.created_at, AuditEntry.log_content)
        .where(AuditEntry.kind.in_([k.value for k in _TOLD_KINDS]), condition)
        .order_by(AuditEntry.seq.desc())
        .limit(_MAX),
    )
    lines = (f"{format_time(r.created_at, 'short')} {r.log_content[:120]}" for r in rows)
    return _listed(t("commands.answer.audit"), lines, "/issues")


def _place_of_task(order: Order) -> ColumnElement[bool]:
    servers = select(Server.server_id).where(Server.inst_id == order.target)
    return (Task.target_server == order.target) | Task.target_server.in_(servers)


def _servers(order: Order) -> Outcome:
    open_tasks = (
        select(func.count())
        .where(Task.target_server == Server.server_id, Task.status.in_(_OPEN))
        .correlate(Server)
        .scalar_subquery()
    )
    named = (Server.server_id == order.target) | (Server.inst_id == order.target)
    columns = Server.server_id, Server.blocked, open_tasks.label("tasks")
    statement = select(*columns, func.count().over().label("total")).where(
        named if order.target else true()
    )
    rows = _rows(order, statement.order_by(Server.server_id).limit(_MAX))
    lines = (
        t("commands.answer.server", server=r.server_id, count=r.tasks)
        + (f" · {t('commands.answer.blocked', why=r.blocked)}" if r.blocked else "")
        for r in rows
    )
    head = t("commands.answer.servers", count=rows[0].total if rows else 0)
    one = len(rows) == 1 and rows[0].server_id == order.target
    words = urlencode({"q": order.target})
    path = (
        f"/servers/{order.target}" if one else f"/servers?{words}" if order.target else "/servers"
    )
    return _listed(head, lines, path)


def _agents(order: Order) -> Outcome:
    found = [
        a
        for a in agent_view.list_agents(order.board, order.person)
        if order.target in ("", a.agent_id)
    ]
    lines = (
        t(f"commands.answer.agent_{_agent_state(a.state)}", agent=a.title, count=a.open_tasks)
        for a in found[:_MAX]
    )
    path = f"/agents/{order.target}" if order.target else "/agents"
    return _listed(t("commands.answer.agents", count=len(found)), lines, path)


def _agent_state(state: str) -> str:
    return "paused" if state == "paused" else "active"


_ANSWERS: dict[str, Callable[[Order], Outcome]] = {
    "tasks": _tasks,
    "sr": _issue,
    "approvals": _approvals,
    "workload": _workload,
    "audit": _audit,
    "servers": _servers,
    "agents": _agents,
}
