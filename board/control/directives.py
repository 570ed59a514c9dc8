"""What people order of a task: stop, rest, take over, give back, roll back, pass on, change.

Each is one transaction that outranks agents: it takes the task from whoever holds it, goes on
record, and wakes whom it concerns. A remote command that runs for the task is ended, not awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.approvals import requests
from guardia.board.audit.chain import clean
from guardia.board.control import kill_switch
from guardia.board.control import undoing as control_undoing
from guardia.board.control.undoing import Giver
from guardia.board.core import wake_budget
from guardia.board.core.context import Desk
from guardia.board.core.lifecycle import OPEN, Actor, Move, State
from guardia.board.core.lookup import issue_of, task_of
from guardia.board.core.model import ActionRun, Directive, Issue, Task
from guardia.board.core.outbox import reply, seal_soon
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move
from guardia.board.core.wake_reasons import Reason
from guardia.board.core.wakes import wake
from guardia.board.execution.tasks import file, printable, stored_plan
from guardia.board.organization import agent_memory
from guardia.errors import IllegalMove, Invalid, Missing, NoSuchAssignee, NotFound, Refused, Stale
from guardia.i18n import t, t_record
from guardia.org import registry
from guardia.org.access import require
from guardia.org.directory import PersonName
from guardia.org.model import Agent, Person

_REASON = 1000
_S = State
_WAITING = (_S.RECEIVED, _S.PARSED, _S.PENDING_APPROVAL, _S.APPROVED)
_STOPPING = frozenset({"abort", "pause", "manual"})
"""What only stops something is never kept waiting: the record is signed right after it."""
_PRIORITIES = ("P1", "P2", "P3", "P4")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person orders."""

    verb: str
    reason: str = ""
    argument: str = ""
    """An agent's or engineer's id for ``reassign``, ``P1`` to ``P4`` for ``priority``, the hash of
    the plan that the person saw for ``change``."""
    plan: Plan | None = None
    """What ``change`` puts in its place: see ``desk.planning``."""


@dataclass(slots=True)
class _Case:
    """One order on its way through its transaction."""

    session: Session
    task: Task
    issue: Issue
    wish: Wish
    giver: Giver
    now: datetime
    detail: dict[str, Any] = field(default_factory=dict)
    then: Callable[[], object] | None = None
    """What follows once the order is on record."""

    def place(self, *, undo: bool = False) -> Directive:
        return control_undoing.place(
            self.session,
            self.task,
            self.wish.verb,
            self.giver,
            self.wish.reason,
            self.now,
            undo=undo,
            detail=dict(self.detail),
        )

    def move(self, step: Move, **values: object) -> None:
        move(self.session, self.task, step, actor=Actor.PERSON, now=self.now, **values)

    def refuse(self, key: str, **words: object) -> Refused:
        return Refused(why=t(f"desk.{key}", **words))


def possible(
    state: State, *, paused: bool, undoing: bool, planned: bool = False
) -> tuple[str, ...]:
    """The orders that a task in this state can be given now; ``planned``: it has a plan."""
    if undoing:
        return ("manual",)
    found = []
    if state in (*_WAITING, _S.IN_PROGRESS):
        found.append("resume" if paused else "pause")
    if state in (*_WAITING, _S.IN_PROGRESS, _S.FAILED_ROLLBACK):
        found.append("manual")
    if state is _S.MANUAL:
        found += ["return", "complete"]
    if state in OPEN:
        found.append("abort")
    if state is _S.COMPLETED:
        found.append("rollback")
    if state in (*_WAITING, _S.MANUAL):
        found.append("reassign")
    if state in OPEN:
        found.append("priority")
    if planned and state in OPEN:
        found.append("change")
    return tuple(found)


def give(desk: Desk, person: PersonName, task_id: int, wish: Wish) -> State:
    """Carry out one order; returns the task's state right after it.

    ``Forbidden`` without the right, ``IllegalMove`` where the task's state does not know it,
    ``Refused`` where something else stands against it.
    """
    act = _ACTS.get(wish.verb)
    if act is None:
        raise NotFound(what=wish.verb)
    require(person, f"directive.{wish.verb}")
    reason, argument = clean(wish.reason).strip()[:_REASON], clean(wish.argument).strip()
    wish = replace(wish, reason=reason, argument=argument)
    if wish.verb not in _STOPPING:
        desk.attest()
    now = desk.clock()
    with desk.database.transaction() as session:
        task = task_of(session, task_id)
        undoing = _is_undone(session, task_id)
        if wish.verb not in _possible(task, undoing=undoing):
            raise IllegalMove(state=t(f"state.{task.status}"), move=t(f"desk.verb.{wish.verb}"))
        issue = issue_of(session, task.sr_id)
        case = _Case(session, task, issue, wish, kill_switch.giver(person), now)
        wake_budget.renew(session, task.sr_id, case.giver.actor, now)
        directive = act(case)
        session.flush()
        _tell(case)
        if wish.verb in _STOPPING:
            seal_soon(session)
        control_undoing.record_order(session, directive, case.giver, now, task.target_server)
        if case.then is not None:
            case.then()
        return State(task.status)


def tasks(desk: Desk, sr_id: int, verb: str) -> list[int]:
    """The tasks of an issue that can be given an order now."""
    with desk.database.reading() as session:
        issue_of(session, sr_id)
        rows = session.scalars(select(Task).where(Task.sr_id == sr_id).order_by(Task.task_id))
        return [
            task.task_id
            for task in rows.all()
            if verb in _possible(task, undoing=_is_undone(session, task.task_id))
        ]


def _possible(task: Task, *, undoing: bool) -> tuple[str, ...]:
    planned = task.plan is not None
    return possible(State(task.status), paused=task.paused, undoing=undoing, planned=planned)


def _is_undone(session: Session, task_id: int) -> bool:
    query = select(Directive.directive_id).where(
        Directive.task_id == task_id, Directive.state == "UNDOING"
    )
    return session.scalar(query) is not None


def _tell(case: _Case) -> None:
    verb = t(f"desk.verb.{case.wish.verb}")
    words = {"sr": case.issue.sr_id, "who": case.giver.name, "verb": verb}
    text = t("desk.ordered", **words, reason=case.wish.reason or "-")
    reply(case.session, case.issue, text, case.now)


# --- the orders ---------------------------------------------------------------------------------


def _abort(case: _Case) -> Directive:
    """Before work: ended. While it runs: interrupted, and undone by its agent."""
    if case.task.status == _S.IN_PROGRESS:
        return case.place(undo=True)
    directive = case.place()
    _void(case)
    case.move(Move.ABORT)
    _finished(case)
    return directive


def _pause(case: _Case) -> Directive:
    directive = case.place()
    case.task.paused = True
    return directive


def _resume(case: _Case) -> Directive:
    directive = case.place()
    case.task.paused = False
    _wake_agent(case, directive)
    return directive


def _manual(case: _Case) -> Directive:
    """A person takes over, as the server is: nothing is undone."""
    directive = case.place()
    control_undoing.let_go(
        case.session, case.task, t("desk.taken_over", who=case.giver.name), case.now
    )
    _void(case)
    person = case.giver.actor.removeprefix("person:")
    owner = case.session.get(Person, person)
    engineer = owner is not None and owner.role == "engineer"
    case.move(Move.HAND_OVER, paused=False, **({"owner_id": person} if engineer else {}))
    return directive


def _return(case: _Case) -> Directive:
    """Back to its agent, who begins anew; every approval is asked anew too."""
    _require_agent(case)
    directive = case.place()
    case.move(Move.RETURN, attempt=case.task.attempt + 1, plan=None, plan_hash=None, category=None)
    _wake_agent(case, directive)
    return directive


def _require_agent(case: _Case) -> None:
    agent = case.session.get(Agent, case.task.agent_id) if case.task.agent_id else None
    if case.task.target_server is None or agent is None or agent.duty != "operate":
        raise case.refuse("nobody_to_return_to")


def _change(case: _Case) -> Directive:
    """A person's plan instead of the task's own. While that is carried out, its agent first undoes
    what is not the beginning of the new one."""
    plan, task = case.wish.plan, case.task
    if plan is None:
        raise Invalid(what=t("desk.verb.change"), why=t("desk.change_how"))
    if task.plan_hash != case.wish.argument:
        raise Stale(what=f"SR-{task.sr_id}")
    if plan.category != task.category:
        raise case.refuse("other_category")
    _require_agent(case)
    case.detail |= {"plan": printable(plan).model_dump(mode="json")}
    if task.status == _S.IN_PROGRESS:
        return case.place(undo=True)
    directive = case.place()
    if task.status == _S.MANUAL:
        case.move(Move.RETURN, attempt=task.attempt + 1)
    elif task.status != _S.PARSED:
        case.move(Move.RETURN)
    case.then = partial(file, case.session, task, plan, case.giver.actor, case.now)
    return directive


def _complete(case: _Case) -> Directive:
    """A person has done by hand what was to be done."""
    if not case.wish.reason:
        raise Missing(what=t("desk.reason"))
    directive = case.place()
    case.move(Move.COMPLETE)
    _finished(case)
    return directive


def _rollback(case: _Case) -> Directive:
    """Undo a completed task; refused where one of its changes cannot be undone."""
    if not case.wish.reason:
        raise Missing(what=t("desk.reason"))
    plan = stored_plan(case.task)
    attempted = set(
        case.session.scalars(
            select(ActionRun.ordinal).where(
                ActionRun.task_id == case.task.task_id,
                ActionRun.plan_hash == case.task.plan_hash,
                ActionRun.phase == "do",
            )
        )
    )
    done = [action for number, action in enumerate(plan.actions) if number in attempted]
    if not done:
        raise case.refuse("nothing_to_undo")
    lasting = [f"{a.effect} ({a.irreversible})" for a in done if a.undo is None]
    if lasting:
        raise case.refuse("irreversible", actions="\n".join(lasting))
    return case.place(undo=True)


def _reassign(case: _Case) -> Directive:
    """To another agent, who begins anew, or to another engineer, who answers for it."""
    wanted = case.wish.argument
    agent = case.session.get(Agent, wanted)
    if agent is not None and agent.duty == "operate" and agent.state == "active":
        return _to_agent(case, wanted)
    person = case.session.get(Person, wanted)
    if person is None or not person.active or person.role != "engineer":
        raise NoSuchAssignee(what=wanted or "-")
    case.detail |= {"engineer": wanted}
    directive = case.place()
    case.task.owner_id = case.issue.assignee_id = wanted
    if case.task.status != _S.MANUAL:
        _wake_agent(case, directive)
    return directive


def _to_agent(case: _Case, wanted: str) -> Directive:
    if case.task.status in (_S.RECEIVED, _S.PENDING_APPROVAL, _S.APPROVED):
        # Its plan is another agent's: people take it back first, or wait for its triage.
        raise case.refuse("reassign_later")
    case.detail |= {"agent": wanted, "before": case.task.agent_id or "-"}
    directive = case.place()
    told = t_record("notes.reassigned", who=case.giver.name, reason=case.wish.reason or "-")
    agent_memory.pass_on(
        case.session,
        case.issue.sr_id,
        case.task.agent_id,
        wanted,
        case.giver.actor,
        told,
        case.now,
    )
    case.task.agent_id = case.issue.agent_id = wanted
    case.task.attempt += 1
    if case.task.status != _S.MANUAL:
        _wake_agent(case, directive)
    return directive


def _priority(case: _Case) -> Directive:
    """Moves it in its agent's queue. Work in progress goes on: there is nothing to interrupt."""
    wanted = case.wish.argument.upper()
    if wanted not in _PRIORITIES:
        raise Invalid(what=t("desk.verb.priority"), why=", ".join(_PRIORITIES))
    case.detail |= {"priority": wanted, "before": case.issue.priority or "-"}
    held_by, fence = case.task.run_id, case.task.fence
    directive = case.place()
    if case.task.status == _S.IN_PROGRESS:
        case.task.run_id, case.task.fence = held_by, fence
    _lock_siblings(case)
    case.issue.priority = wanted
    _wake_agent(case, directive)
    return directive


def _lock_siblings(case: _Case) -> None:
    """All tasks follow their issue's priority: as everywhere, they are locked before it."""
    siblings = select(Task.task_id).where(Task.sr_id == case.task.sr_id).order_by(Task.task_id)
    case.session.execute(siblings.with_for_update(key_share=True))


_ACTS: MappingProxyType[str, Callable[[_Case], Directive]] = MappingProxyType(
    {
        "abort": _abort,
        "pause": _pause,
        "resume": _resume,
        "manual": _manual,
        "return": _return,
        "complete": _complete,
        "rollback": _rollback,
        "reassign": _reassign,
        "priority": _priority,
        "change": _change,
    }
)
VERBS = tuple(verb for verb in _ACTS if verb != "change")
"""What can be ordered by a word and an argument; a change needs a plan."""


def _void(case: _Case) -> None:
    """Nobody need decide on a plan that will not run, and nothing waits for its window."""
    requests.void(case.session, case.task)
    case.task.run_after = None


def _wake_agent(case: _Case, directive: Directive) -> None:
    if case.task.agent_id:
        cause = {"directive": directive.directive_id, "verb": directive.verb}
        wake(
            case.session,
            case.task.agent_id,
            Reason.DIRECTIVE,
            case.now,
            case.issue.sr_id,
            cause=cause,
            by=case.giver.actor,
        )


def _finished(case: _Case) -> None:
    for auditor in registry.auditors(case.session):
        cause = {"task": case.task.task_id, "verb": case.wish.verb}
        wake(case.session, auditor, Reason.FINISHED, case.now, case.issue.sr_id, cause=cause)
