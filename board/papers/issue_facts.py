"""The facts of papers about an issue: plan, result, incident report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.approvals.view import Vote
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import responsibility_view
from guardia.board.core.actors import Actor
from guardia.board.core.display_names import display_names_of
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import actor_label, format_time
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.model import Issue
from guardia.board.execution import planned_changes
from guardia.board.papers import ended_facts
from guardia.board.papers.paper import PaperFacts, PaperKind, Value
from guardia.board.papers.plan_facts import plan_steps, plan_values
from guardia.board.papers.record import IssueRecord, read_record
from guardia.board.papers.vocabulary import LISTS, VALUES
from guardia.board.papers.wording import at_minute, lines, named
from guardia.board.service_levels import view as service_view
from guardia.board.tracker import customer_view
from guardia.i18n import t
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo

_FOR_CUSTOMERS = frozenset(
    {
        "made_at",
        "made_by",
        "institution",
        "number",
        "title",
        "kind",
        "category",
        "priority",
        "state",
        "body",
        "channel",
        "requester",
        "requested_at",
        "received_at",
        "engineer",
        "due_on",
        "closed_at",
        "servers",
        "cause",
        "actions",
        "result",
        "took",
    }
)
"""What a customer reads on the page of an issue, too."""
_RESPONSIBLE = 2


def available_kinds(issue: Issue, viewer: PersonInfo, *, has_plan: bool) -> tuple[PaperKind, ...]:
    """Return the papers that there are of an issue for a viewer."""
    ended = issue.status in ENDED_STATES
    kinds: list[PaperKind] = []
    if has_plan and is_allowed(viewer, "plan.read"):
        kinds.append("work_plan")
    if ended:
        kinds.append("work_result")
        if issue.kind in (None, "INCIDENT"):
            kinds.append("incident")
    return tuple(kinds)


def read_facts(
    session: Session, viewer: PersonInfo, issue: Issue, kind: PaperKind, now: datetime
) -> PaperFacts:
    """Read the facts of a paper of an issue that the viewer may see."""
    staff = is_allowed(viewer, "plan.read")
    record = read_record(session, viewer, issue, staff=staff)
    values = {**_issue_values(record, viewer, now), **ended_facts.end_values(record)}
    if not staff:
        values |= _settled(record)
        hidden = (VALUES[kind] | LISTS[kind].keys()) - _FOR_CUSTOMERS
        return PaperFacts(issue_ref(issue.sr_id), values, {}, frozenset(hidden))
    values |= plan_values(record.planned)
    values["conflicts"] = _conflicts(session, record) if kind == "work_plan" else None
    values["service"] = _service(session, viewer, issue.sr_id, now)
    lists: dict[str, list[dict[str, Value]]] = {
        "steps": plan_steps(record.planned),
        "approvals": list(_approvals(record)),
        "contacts": list(_contacts(session, record, now)),
        "runs": ended_facts.runs(record),
        "measures": [
            {
                "at": format_time(one.at),
                "who": actor_label(record.names, one.actor),
                "what": one.text,
            }
            for one in record.entries
            if one.kind is not EntryKind.RESULT
        ],
    }
    return PaperFacts(issue_ref(issue.sr_id), values, lists)


def _issue_values(record: IssueRecord, viewer: PersonInfo, now: datetime) -> dict[str, Value]:
    issue = record.issue
    requester = record.name(str(Actor.person(issue.requester_id))) if issue.requester_id else None
    engineer = record.name(str(Actor.person(issue.assignee_id))) if issue.assignee_id else None
    return {
        "made_at": at_minute(now),
        "made_by": f"{viewer.name} {viewer.title}".strip(),
        "institution": record.institution,
        "number": issue.ref,
        "title": issue.title,
        "kind": named("web.kind", issue.kind),
        "category": named("web.category", issue.category),
        "priority": _priority(issue.priority),
        "state": t(f"state.{issue.status}"),
        "body": issue.body,
        "channel": named("web.channel", issue.channel),
        "requester": requester or issue.requester_name or None,
        "requested_at": at_minute(issue.created_at),
        "received_at": at_minute(issue.created_at),
        "engineer": engineer,
        "agent": record.name(str(Actor.agent(issue.agent_id))) if issue.agent_id else None,
        "due_on": issue.due_on.isoformat() if issue.due_on else None,
        "closed_at": at_minute(issue.closed_at),
        "servers": ", ".join(record.servers) or None,
        "services": ", ".join(record.services) or None,
    }


def _priority(name: str | None) -> str | None:
    return f"{name} ({named('web.priority', name)})" if name else None


def _settled(record: IssueRecord) -> dict[str, Value]:
    """Return cause, actions and result in the words that customers read on the page."""
    found = customer_view.resolution(record.issue, record.tasks)
    if found is None:
        return {"cause": None, "actions": None}
    return {
        "cause": lines(found.causes),
        "actions": lines(found.actions),
        "result": found.result,
    }


def _conflicts(session: Session, record: IssueRecord) -> str | None:
    waiting = [
        task
        for task in record.tasks
        if task.plan and task.status in (State.PENDING_APPROVAL, State.APPROVED)
    ]
    own = [task.task_id for task in record.tasks]
    found = (
        one
        for task, planned in zip(waiting, record.planned, strict=False)
        for one in planned_changes.conflicts_of(session, task.target_server, planned.starts_at, own)
    )
    return lines(
        f"{issue_ref(one.change.sr_id)} {one.change.title} · {one.change.server} "
        f"({t(f'changes.relation.{one.relation}')}, "
        f"{at_minute(one.change.begins) or t('changes.conflict.now')})"
        for one in found
    )


def _service(session: Session, viewer: PersonInfo, sr_id: int, now: datetime) -> str | None:
    if not is_allowed(viewer, "service.read"):
        return None
    clocks = service_view.clocks_within(session, [sr_id], now).get(sr_id, ())
    return lines(
        f"{t(f'service.kind.{one.kind}')}: {t(f'service.state.{one.state}')}" for one in clocks
    )


def _approvals(record: IssueRecord) -> Iterator[dict[str, Value]]:
    for _task, step in record.steps:
        line: dict[str, Value] = {
            "step": step.number,
            "role": named("org.role", step.role),
            "verdict": named("web.approval", step.state),
        }
        for vote in step.votes:
            given = {
                "person": _voter(record, vote),
                "verdict": named("web.approval", vote.verdict),
                "at": at_minute(vote.at),
                "reason": vote.reason,
            }
            yield {**line, **given}
        if not step.votes:
            yield line


def _voter(record: IssueRecord, vote: Vote) -> str | None:
    name = record.name(vote.person)
    principal = record.name(vote.principal)
    return f"{name} ({t('web.approval.for', who=principal)})" if principal else name


def _contacts(session: Session, record: IssueRecord, now: datetime) -> Iterator[dict[str, Value]]:
    """Yield who is responsible, by duty; an issue knows no telephone numbers."""
    issue = record.issue
    for duty, person in (
        (t("web.column.requester"), issue.requester_id),
        (t("web.column.engineer"), issue.assignee_id),
    ):
        if person:
            yield {"duty": duty, "name": record.name(str(Actor.person(person)))}
    skill = issue.category or ""
    server = next(iter(record.servers), None)
    ranked = responsibility_view.ranked_engineers(session, server, issue.inst_id, skill, now)
    for one in ranked[:_RESPONSIBLE]:
        if one.person.id != issue.assignee_id:
            name = f"{one.person.name} {one.person.title}".strip()
            yield {"duty": t("papers.responsible"), "name": name}
    turns = responsibility_view.on_duty_for(session, skill, issue.inst_id, now)
    on_duty = {str(Actor.person(turn.person)) for turn in turns if turn.person}
    for name in display_names_of(session, on_duty).values():
        yield {"duty": t("papers.on_duty"), "name": name}
