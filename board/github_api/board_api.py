"""Routes of the board's own things, in GitHub's style: approvals, directives, runs, agents,
servers, audit log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, StringConstraints
from sqlalchemy import select

from guardia.board.approvals import pending
from guardia.board.audit.model import AuditEntry
from guardia.board.cmdb import server_list
from guardia.board.cmdb.server_list import ServerFilter
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.model import Directive, Task
from guardia.board.github_api.conditional import ConditionalRoute
from guardia.board.github_api.paging import links
from guardia.board.github_api.requests import (
    MOST,
    AddressesDep,
    Identifier,
    Number,
    PageDep,
)
from guardia.board.github_api.shapes import Time
from guardia.board.issues import visibility
from guardia.board.organization import view as organization_view
from guardia.board.runs import view as run_view
from guardia.board.runs.view import RunQuery
from guardia.board.web.caller import BoardDep, Caller
from guardia.errors import NotFound
from guardia.org.access import require_permission
from guardia.org.directory import Host
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(prefix="/api/v3", tags=["board"], route_class=ConditionalRoute)
Before = Annotated[int | None, Query(ge=1, le=MOST, description="Only lower numbers")]
_Name = Annotated[str, Query(max_length=100), CLEANED]
Verb = Literal[
    "abort",
    "pause",
    "resume",
    "manual",
    "return",
    "reanalyze",
    "complete",
    "rollback",
    "reopen",
    "reassign",
    "priority",
    "override",
]


class ApprovalBody(BaseModel):
    """A step of an approval chain that the caller can decide now, on its page."""

    issue: int
    title: str
    server: str | None
    category: str | None
    priority: str | None
    since: Time
    due: Time | None
    html_url: str


class TaskBody(BaseModel):
    """A task of an issue."""

    id: int
    issue: int
    state: str
    server: str | None
    agent: str | None
    owner: str | None
    category: str | None
    plan_hash: str | None
    paused: bool
    updated_at: Time


class DirectiveBody(BaseModel):
    """A directive of a person on a task."""

    id: int
    task: int
    verb: str
    ordered_by: str
    reason: str
    state: str
    outcome: str
    ordered_at: Time
    ended_at: Time | None


class NewDirective(BaseModel):
    """A directive to issue."""

    verb: Verb
    argument: Annotated[str, StringConstraints(max_length=64), FOLDED] = ""
    reason: Reason = ""


class DirectiveResult(BaseModel):
    """The state of a task after a directive."""

    task: int
    state: str


class RunBody(BaseModel):
    """A run of an agent."""

    id: int
    agent: str
    issue: int | None
    task: int | None
    outcome: str | None
    steps: int
    started_at: Time
    ended_at: Time | None


class AgentBody(BaseModel):
    """An agent of the applied org chart."""

    id: str
    title: str
    duty: str
    reports_to: str | None
    skills: list[str]
    adapter: str | None
    paused: bool
    working: bool
    issue: int | None
    open_tasks: int
    last_beat: Time | None


class ServerBody(BaseModel):
    """A server of the directory, without how to sign in there."""

    id: str
    institution: str
    institution_name: str
    kind: str
    aliases: list[str]
    groups: list[str]
    blocked: str
    services: list[str]


class AuditBody(BaseModel):
    """An entry of the audit log."""

    seq: int
    created_at: datetime
    actor: str
    kind: str
    issue: int | None
    task: int | None
    text: str
    previous_hash: str
    current_hash: str


@router.get("/approvals", summary="Approvals that wait for the caller")
def list_approvals(board: BoardDep, caller: Caller, addresses: AddressesDep) -> list[ApprovalBody]:
    """Return what the caller can decide now, the most urgent first.

    A decision is made on the page: no token carries the right to it.
    """
    found = pending.pending_steps(board, caller).steps
    return [
        ApprovalBody(
            issue=one.sr_id,
            title=one.title,
            server=one.server,
            category=one.category,
            priority=one.priority,
            since=one.since,
            due=one.due,
            html_url=addresses.page(f"/issues/{one.sr_id}"),
        )
        for one in found
    ]


@router.get("/issues/{number}/tasks", summary="Tasks of an issue")
def list_tasks(board: BoardDep, caller: Caller, number: Number) -> list[TaskBody]:
    """Return the tasks of an issue, for staff."""
    with board.database.reading() as session:
        visibility.find_issue(session, caller, number)
        require_permission(caller, "plan.read")
        rows = session.scalars(select(Task).where(Task.sr_id == number).order_by(Task.task_id))
        return [
            TaskBody(
                id=row.task_id,
                issue=row.sr_id,
                state=row.status,
                server=row.target_server,
                agent=row.agent_id,
                owner=row.owner_id,
                category=row.category,
                plan_hash=row.plan_hash,
                paused=row.paused,
                updated_at=row.updated_at,
            )
            for row in rows
        ]


@router.get("/issues/{number}/directives", summary="Directives on an issue")
def list_directives(board: BoardDep, caller: Caller, number: Number) -> list[DirectiveBody]:
    """Return the directives of people on the tasks of an issue, oldest first."""
    query = select(Directive).where(Directive.sr_id == number).order_by(Directive.directive_id)
    with board.database.reading() as session:
        visibility.find_issue(session, caller, number)
        require_permission(caller, "plan.read")
        return [
            DirectiveBody(
                id=row.directive_id,
                task=row.task_id,
                verb=row.verb,
                ordered_by=row.ordered_by,
                reason=row.reason,
                state=row.state,
                outcome=row.outcome,
                ordered_at=row.ordered_at,
                ended_at=row.ended_at,
            )
            for row in session.scalars(query)
        ]


@router.post(
    "/issues/{number}/tasks/{task_id}/directives", summary="Issue a directive", status_code=201
)
def issue_directive(
    board: BoardDep, caller: Caller, number: Number, task_id: Identifier, body: NewDirective
) -> DirectiveResult:
    """Issue a directive on a task; 409 if the state of the task does not permit it."""
    visibility.require_task(board, caller, number, task_id)
    request = DirectiveRequest(body.verb, body.reason, body.argument)
    state = directives.issue_directive(board, caller, task_id, request)
    return DirectiveResult(task=task_id, state=state.value)


@router.get("/runs", summary="Runs of agents, newest first")
def list_runs(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    addresses: AddressesDep,
    page: PageDep,
    agent: _Name = "",
    before: Before = None,
) -> list[RunBody]:
    """Return one page of runs; `Link` leads on with `before`."""
    found = run_view.list_runs(board, RunQuery(before=before, agent=agent, size=page.size))
    if found.older is not None:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "before"]
        kept.append(("before", str(found.older)))
        address = f"{addresses.origin}{request.url.path}"
        response.headers["link"] = links(address, kept, page, has_more=True)
    return [
        RunBody(
            id=one.run_id,
            agent=one.agent_id,
            issue=one.sr_id,
            task=one.task_id,
            outcome=one.outcome,
            steps=one.steps,
            started_at=one.started_at,
            ended_at=one.ended_at,
        )
        for one in found.rows
    ]


@router.get("/agents", summary="Agents of the applied org chart")
def list_agents(board: BoardDep) -> list[AgentBody]:
    """Return all agents with what they do now."""
    return [
        AgentBody(
            id=one.agent_id,
            title=one.title,
            duty=one.duty,
            reports_to=one.superior,
            skills=list(one.skills),
            adapter=one.adapter,
            paused=one.paused,
            working=one.working,
            issue=one.sr_id,
            open_tasks=one.open_tasks,
            last_beat=one.last_beat,
        )
        for one in organization_view.organization(board).members
    ]


def _wanted(institution: _Name = "", kind: _Name = "", q: _Name = "") -> ServerFilter:
    """Return which servers are asked for."""
    return ServerFilter(institution=institution, kind=kind, text=q)


@router.get("/servers", summary="Servers by id")
def list_servers(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    caller: Caller,
    addresses: AddressesDep,
    page: PageDep,
    wanted: Annotated[ServerFilter, Depends(_wanted)],
    after_id: _Name = "",
) -> list[ServerBody]:
    """Return one page of servers; `Link` leads on with `after_id`."""
    found = server_list.servers(board, caller, wanted, after=after_id or None, size=page.size)
    if found.after is not None:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "after_id"]
        kept.append(("after_id", found.after))
        address = f"{addresses.origin}{request.url.path}"
        response.headers["link"] = links(address, kept, page, has_more=True)
    return [_server(host, name) for host, name in found.rows]


@router.get("/servers/{server_id}", summary="One server")
def get_server(
    board: BoardDep,
    caller: Caller,
    server_id: Annotated[str, Path(max_length=100), FOLDED],
) -> ServerBody:
    """Return a server by id."""
    return _server(*server_list.server(board, caller, server_id))


def _server(host: Host, name: str) -> ServerBody:
    return ServerBody(
        id=host.server_id,
        institution=host.institution,
        institution_name=name,
        kind=host.kind,
        aliases=list(host.aliases),
        groups=list(host.groups),
        blocked=host.blocked,
        services=[service.name for service in host.services],
    )


@router.get("/audit", summary="The audit log, newest first")
def list_audit(
    *,
    request: Request,
    response: Response,
    board: BoardDep,
    addresses: AddressesDep,
    page: PageDep,
    issue: Before = None,
    kind: _Name = "",
    actor: _Name = "",
    before: Before = None,
) -> list[AuditBody]:
    """Return one page of entries; `Link` leads on with `before`."""
    query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(page.size + 1)
    chosen = {AuditEntry.sr_id: issue, AuditEntry.kind: kind, AuditEntry.actor: actor}
    for column, value in chosen.items():
        if value:
            query = query.where(column == value)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    with board.database.reading() as session:
        rows = session.scalars(query).all()
    shown = rows[: page.size]
    if len(rows) > page.size:
        kept = [(k, v) for k, v in request.query_params.multi_items() if k != "before"]
        kept.append(("before", str(shown[-1].seq)))
        address = f"{addresses.origin}{request.url.path}"
        response.headers["link"] = links(address, kept, page, has_more=True)
    return [_entry(row) for row in shown]


@router.get("/audit/{seq}", summary="One entry of the audit log")
def get_audit(board: BoardDep, seq: Identifier) -> AuditBody:
    """Return an entry by its number."""
    with board.database.reading() as session:
        row = session.get(AuditEntry, seq)
        if row is None:
            raise NotFound(what=f"#{seq}")
        return _entry(row)


def _entry(row: AuditEntry) -> AuditBody:
    return AuditBody(
        seq=row.seq,
        created_at=row.created_at,
        actor=row.actor,
        kind=row.kind,
        issue=row.sr_id,
        task=row.task_id,
        text=row.log_content,
        previous_hash=row.previous_hash,
        current_hash=row.current_hash,
    )
