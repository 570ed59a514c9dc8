"""What each directive does to its task, within the transaction that `directives` opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

from sqlalchemy import select

from guardia.board.approvals import acceptance, requests
from guardia.board.assignment import queue
from guardia.board.control import reopening, rollback
from guardia.board.control.directive_context import DirectiveContext
from guardia.board.core import server_queue
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import Move, State
from guardia.board.core.model import NOT_STARTED, ActionRun, Directive
from guardia.board.core.reasons import require_reason
from guardia.board.core.run_model import ServerWait
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.execution.tasks import store_plan, stored_plan
from guardia.board.organization import agent_memory
from guardia.errors import Invalid, NoSuchAssignee, Stale
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.model import Agent, Person

_PRIORITIES = ("P1", "P2", "P3", "P4")


def _abort(ctx: DirectiveContext) -> Directive:
    """End a task before work starts; interrupt running work and have its agent undo it."""
    if ctx.task.status == State.IN_PROGRESS:
        return ctx.create_directive(undo=True)
    directive = ctx.create_directive()
    ctx.public = t_default("board.aborted", sr=ctx.issue.sr_id)
    _void_approvals(ctx)
    ctx.move(Move.ABORT)
    _wake_auditors(ctx)
    return directive


def _pause(ctx: DirectiveContext) -> Directive:
    directive = ctx.create_directive()
    ctx.task.paused = True
    server_queue.leave(ctx.session, ctx.task, ctx.now, keeps_place=True)
    return directive


def _resume(ctx: DirectiveContext) -> Directive:
    directive = ctx.create_directive()
    ctx.task.paused = False
    _wake_agent(ctx, directive)
    return directive


def _manual(ctx: DirectiveContext) -> Directive:
    """Hand the task to a person with the server as it is: nothing is undone."""
    directive = ctx.create_directive()
    rollback.abandon_rollback(
        ctx.session, ctx.task, t("board.taken_over", who=ctx.issued_by.label), ctx.now
    )
    _void_approvals(ctx)
    person = ctx.session.get(Person, ctx.issued_by.id)
    is_engineer = person is not None and person.role == "engineer"
    owner = {"owner_id": ctx.issued_by.id} if is_engineer else {}
    ctx.move(Move.HAND_OVER, paused=False, **owner)
    if is_engineer or ctx.issue.assignee_id is None:
        _record_choice(ctx, "person", ctx.issued_by.id)
        ctx.issue.assignee_id = ctx.issued_by.id
    return directive


def _return(ctx: DirectiveContext) -> Directive:
    """Return the task to its agent, which starts over; approvals are requested again."""
    _require_agent(ctx)
    directive = ctx.create_directive()
    ctx.move(Move.RETURN, attempt=ctx.task.attempt + 1, plan=None, plan_hash=None, category=None)
    _wake_agent(ctx, directive)
    return directive


def _reanalyze(ctx: DirectiveContext) -> Directive:
    """Have the agent diagnose again before anything was changed; its plan no longer counts."""
    _require_agent(ctx)
    directive = ctx.create_directive()
    _void_approvals(ctx)
    fresh = {"attempt": ctx.task.attempt + 1, "plan": None, "plan_hash": None, "category": None}
    if ctx.task.status == State.PARSED:
        for name, value in fresh.items():
            setattr(ctx.task, name, value)
        ctx.task.updated_at = ctx.now
    else:
        ctx.move(Move.RETURN, **fresh, run_after=None)
    _wake_agent(ctx, directive)
    return directive


def _require_agent(ctx: DirectiveContext) -> None:
    duty = registry.duty_of(ctx.session, ctx.task.agent_id)
    if ctx.task.target_server is None or duty != "operate":
        raise ctx.refusal("nobody_to_return_to")


def _change(ctx: DirectiveContext) -> Directive:
    """Replace the task's plan by a person's plan.

    If work is in progress, its agent first undoes every action outside the common prefix.
    """
    plan, task = ctx.request.plan, ctx.task
    if plan is None:
        raise Invalid(what=t("board.verb.change"), why=t("board.change_how"))
    if task.plan_hash != ctx.request.argument:
        raise Stale(what=issue_ref(task.sr_id))
    if plan.category != task.category:
        raise ctx.refusal("other_category")
    _require_agent(ctx)
    ctx.detail |= {"plan": plan.model_dump(mode="json")}
    if task.status == State.IN_PROGRESS:
        return ctx.create_directive(undo=True)
    directive = ctx.create_directive()
    if task.status == State.MANUAL:
        ctx.move(Move.RETURN, attempt=task.attempt + 1)
    elif task.status != State.PARSED:
        ctx.move(Move.RETURN)
    ctx.after_log = partial(
        store_plan, ctx.session, task, plan, ctx.issued_by, ctx.now, reason=ctx.request.reason
    )
    return directive


def _complete(ctx: DirectiveContext) -> Directive:
    """Complete a task that a person has done by hand."""
    done = require_reason(ctx.request.reason)
    ctx.detail |= {"for_requester": True}
    ctx.public = t_default("board.completed", sr=ctx.issue.sr_id, text=done)
    directive = ctx.create_directive()
    ctx.move(Move.COMPLETE)
    acceptance.request_acceptance(ctx.session, ctx.issue, ctx.task, ctx.now)
    _wake_auditors(ctx)
    return directive


def _rollback(ctx: DirectiveContext) -> Directive:
    """Undo a completed task. Raises `Refused` if one of its changes cannot be undone."""
    require_reason(ctx.request.reason)
    plan = stored_plan(ctx.task)
    attempted = set(
        ctx.session.scalars(
            select(ActionRun.ordinal).where(
                ActionRun.task_id == ctx.task.task_id,
                ActionRun.plan_hash == ctx.task.plan_hash,
                ActionRun.phase == "do",
                ActionRun.state != NOT_STARTED,
            )
        )
    )
    done = [action for number, action in enumerate(plan.actions) if number in attempted]
    if not done:
        raise ctx.refusal("nothing_to_undo")
    irreversible = [f"{a.effect} ({a.irreversible})" for a in done if a.undo is None]
    if irreversible:
        raise ctx.refusal("irreversible", actions="\n".join(irreversible))
    return ctx.create_directive(undo=True)


def _reopen(ctx: DirectiveContext) -> Directive:
    """Reopen an ended task, which starts over."""
    reason = require_reason(ctx.request.reason)
    return reopening.reopen_task(ctx.session, ctx.task, ctx.issued_by, reason, ctx.now)


def _reassign(ctx: DirectiveContext) -> Directive:
    """Assign the task to another agent, which starts over, or to another engineer."""
    wanted = ctx.request.argument
    agent = ctx.session.get(Agent, wanted)
    if agent is not None and agent.duty == "operate" and agent.state == "active":
        return _reassign_to_agent(ctx, wanted)
    person = ctx.session.get(Person, wanted)
    if person is None or not person.active or person.role != "engineer":
        raise NoSuchAssignee(what=wanted or "-")
    ctx.detail |= {"engineer": wanted}
    directive = ctx.create_directive()
    ctx.task.owner_id = ctx.issue.assignee_id = wanted
    _record_choice(ctx, "person", wanted)
    if ctx.task.status != State.MANUAL:
        _wake_agent(ctx, directive)
    return directive


def _reassign_to_agent(ctx: DirectiveContext, wanted: str) -> Directive:
    if ctx.task.status in (State.RECEIVED, State.PENDING_APPROVAL, State.APPROVED):
        # Its plan belongs to the present agent: people take over first, or wait for triage.
        raise ctx.refusal("reassign_later")
    ctx.detail |= {"agent": wanted, "before": ctx.task.agent_id or "-"}
    directive = ctx.create_directive()
    note = t_default("notes.reassigned", who=ctx.issued_by.label, reason=ctx.request.reason or "-")
    agent_memory.hand_over_notes(
        ctx.session, ctx.issue.sr_id, ctx.task.agent_id, wanted, ctx.issued_by, note, ctx.now
    )
    ctx.task.agent_id = ctx.issue.agent_id = wanted
    _record_choice(ctx, "agent", wanted)
    ctx.task.attempt += 1
    if ctx.task.status != State.MANUAL:
        _wake_agent(ctx, directive)
    return directive


def _record_choice(ctx: DirectiveContext, kind: str, chosen: str) -> None:
    """Keep whom a person has chosen, in the history of the issue's assignment."""
    words = (ctx.issue.sr_id, kind, chosen, ctx.issued_by, ctx.now, ctx.request.reason)
    queue.record_choice(ctx.session, *words)


def _priority(ctx: DirectiveContext) -> Directive:
    """Change the position in the agent's queue; work in progress continues."""
    wanted = ctx.request.argument.upper()
    if wanted not in _PRIORITIES:
        raise Invalid(what=t("board.verb.priority"), why=", ".join(_PRIORITIES))
    ctx.detail |= {"priority": wanted, "before": ctx.issue.priority or "-"}
    run_id, fence = ctx.task.run_id, ctx.task.fence
    directive = ctx.create_directive()
    if ctx.task.status == State.IN_PROGRESS:
        ctx.task.run_id, ctx.task.fence = run_id, fence
    ctx.issue.priority = wanted
    _wake_agent(ctx, directive)
    return directive


def _override(ctx: DirectiveContext) -> Directive:
    """Let a task start beside the change of its server that it waits for."""
    reason = require_reason(ctx.request.reason)
    row = ctx.session.get(ServerWait, ctx.task.task_id)
    assert row is not None
    ctx.detail |= {"holder": row.holder_id}
    directive = ctx.create_directive()
    row.overridden_by, row.reason, row.holder_id = str(ctx.issued_by), reason, None
    _wake_agent(ctx, directive)
    return directive


HANDLERS: MappingProxyType[str, Callable[[DirectiveContext], Directive]] = MappingProxyType(
    {
        "abort": _abort,
        "pause": _pause,
        "resume": _resume,
        "manual": _manual,
        "return": _return,
        "complete": _complete,
        "rollback": _rollback,
        "reopen": _reopen,
        "reanalyze": _reanalyze,
        "reassign": _reassign,
        "priority": _priority,
        "change": _change,
        "override": _override,
    }
)


VERBS = tuple(verb for verb in HANDLERS if verb != "change")
"""Directives that need only a verb and an argument; `change` needs a plan."""


def _void_approvals(ctx: DirectiveContext) -> None:
    """Void the approvals and the start time of a plan that will not run."""
    requests.void(ctx.session, ctx.task)
    ctx.task.run_after = None


def _wake_agent(ctx: DirectiveContext, directive: Directive) -> None:
    if ctx.task.agent_id:
        cause = {"directive": directive.directive_id, "verb": directive.verb}
        wake(
            ctx.session,
            ctx.task.agent_id,
            WakeReason.DIRECTIVE,
            ctx.now,
            ctx.issue.sr_id,
            cause=cause,
            by=ctx.issued_by,
        )


def _wake_auditors(ctx: DirectiveContext) -> None:
    for auditor in registry.auditors(ctx.session):
        cause = {"task": ctx.task.task_id, "verb": ctx.request.verb}
        wake(ctx.session, auditor, WakeReason.FINISHED, ctx.now, ctx.issue.sr_id, cause=cause)
