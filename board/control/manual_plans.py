"""What people plan themselves: another plan for a task, or one action outside of any plan.

Both are made concrete by the catalogue and approved like an agent's plan; whoever has written one
has no say in its approval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.chain import clean, digest
from guardia.board.control import directives, kill_switch, undoing
from guardia.board.control.directives import Wish
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import issue_of
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply
from guardia.board.core.plan import Action, Category, Citation, Plan
from guardia.board.core.planner import Draft, Planner
from guardia.board.core.transitions import settle
from guardia.board.execution import tasks
from guardia.errors import Invalid, Missing, NotFound, Refused, Stale
from guardia.i18n import t, t_record
from guardia.org import registry
from guardia.org.access import require
from guardia.org.directory import Host, PersonName
from guardia.org.model import Agent

_REASON = 1000
_ACTIONS = 50


@dataclass(frozen=True, slots=True)
class Revision:
    """What a person wants a task's plan to do instead."""

    plan_hash: str
    """Of the plan that the person saw."""
    actions: Sequence[Draft]
    reason: str


def change(desk: Desk, person: PersonName, task_id: int, revision: Revision) -> State:
    """Put a person's plan in the place of a task's own; every approval is asked anew.

    While the plan is being carried out, the running command is ended, and what was done and is not
    the beginning of the changed plan is undone, before anybody is asked. ``Stale`` where the plan
    has changed since the person saw it, ``Invalid`` or ``Refused`` where an action does not hold.
    """
    require(person, "directive.change")
    reason = _reason(revision.reason)
    planner = _planner(desk)
    with desk.database.reading() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(what=f"task {task_id}")
        if task.plan_hash != revision.plan_hash:
            raise Stale(what=f"SR-{task.sr_id}")
        old = tasks.stored_plan(task)
        host = registry.host(session, old.server)
    actions = _actions(planner, revision.actions, host, old.category)
    if [a.call for a in actions] == [a.call for a in old.actions]:
        raise Invalid(what=t("desk.verb.change"), why=t("desk.same_plan"))
    why = t_record("desk.changed_because", because=old.because, who=_who(person), reason=reason)
    plan = old.model_copy(update={"actions": actions, "because": why})
    return directives.give(desk, person, task_id, Wish("change", reason, revision.plan_hash, plan))


def _actions(
    planner: Planner, drafts: Sequence[Draft], host: Host, category: str
) -> tuple[Action, ...]:
    if not 0 < len(drafts) <= _ACTIONS:
        raise Invalid(what=t("desk.verb.change"), why=t("desk.no_action", most=_ACTIONS))
    return tuple(planner.action(draft, host, category) for draft in drafts)


def force(
    desk: Desk, person: PersonName, sr_id: int, server: str, draft: Draft, reason: str
) -> int:
    """Order one action of the catalogue on a server, outside of any plan; its task's number.

    It is a task of its own on the issue, approved as ``FORCED`` in org_chart.yaml, and then carried
    out, verified and, where it fails, undone by an agent like any other.
    """
    require(person, "directive.force")
    text, planner = _reason(reason), _planner(desk)
    with desk.database.reading() as session:
        issue_of(session, sr_id)
        host = registry.host(session, clean(server).strip())
    action = planner.action(draft, host, Category.FORCED)
    plan = _forced(person, host, action, text)
    desk.attest()
    now = desk.clock()
    with desk.database.transaction() as session:
        issue = issue_of(session, sr_id)
        task = _task(session, issue, host, now)
        by = kill_switch.giver(person)
        given = {"tool": action.call.tool, "args": action.call.args}
        order = undoing.place(session, task, "force", by, text, now, detail=given)
        words = {"sr": sr_id, "who": by.name, "verb": t("desk.verb.force")}
        reply(session, issue, t("desk.ordered", **words, reason=text), now)
        undoing.record_order(session, order, by, now, host.server_id)
        tasks.file(session, task, plan, by.actor, now)
        return task.task_id


def _forced(person: PersonName, host: Host, action: Action, reason: str) -> Plan:
    """It rests on nothing but the order, and says so."""
    because = t_record("desk.forced_because", who=_who(person), reason=reason)
    title = t_record("desk.verb.force")
    return Plan(
        server=host.server_id,
        category=Category.FORCED,
        because=because,
        citation=Citation(
            document="order", title=title, version=1, sha256=digest(because), passage=because
        ),
        actions=(action,),
    )


def _task(session: Session, issue: Issue, host: Host, now: datetime) -> Task:
    task = Task(
        sr_id=issue.sr_id,
        status=State.PARSED.value,
        target_server=host.server_id,
        agent_id=_hands(session, issue, host),
        owner_id=issue.assignee_id,
        created_at=now,
        updated_at=now,
    )
    session.add(task)
    session.flush()
    settle(session, issue.sr_id, now)
    return task


def _hands(session: Session, issue: Issue, host: Host) -> str:
    """The agent that carries it out: the issue's own, else one that knows such servers, else any
    that operates servers at all."""
    query = select(Agent).where(Agent.duty == "operate", Agent.state == "active")
    operating = session.scalars(query.order_by(Agent.agent_id)).all()
    if not operating:
        raise Refused(why=t("desk.no_hands"))
    best = min(operating, key=lambda a: (a.agent_id != issue.agent_id, host.kind not in a.skills))
    return best.agent_id


def _reason(reason: str) -> str:
    text: str = clean(reason).strip()[:_REASON]
    if not text:
        raise Missing(what=t("desk.reason"))
    return text


def _planner(desk: Desk) -> Planner:
    if desk.planner is None:
        raise Refused(why=t("desk.no_planner"))
    return desk.planner


def _who(person: PersonName) -> str:
    return f"{person.name} {person.title}".strip()
