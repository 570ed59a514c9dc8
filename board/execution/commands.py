"""Write-ahead log of remote commands: intent before sending, result afterwards.

Each is written in its own transaction, so a crash in between leaves an intent without a result.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic.dataclasses import dataclass as pydantic_dataclass
from sqlalchemy import bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.canonical import digest
from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import blocking
from guardia.board.core.claims import Claim, Grant, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.kill_switch import kill_switch_is_on
from guardia.board.core.lifecycle import State
from guardia.board.core.model import NOT_STARTED, ActionRun, Directive, Task
from guardia.board.core.plan import Action, Plan, ToolCall
from guardia.board.costs import daily_totals
from guardia.board.execution import permissions, rule_check
from guardia.board.execution.model import CommandOutput, FailedOutput
from guardia.board.execution.tasks import approved_plan, stored_plan
from guardia.db.engine import repeat_on_conflict
from guardia.db.statement import Statement
from guardia.errors import Refused, Stale
from guardia.i18n import t
from guardia.personal_numbers import mask_resident_numbers
from guardia.text import CleanObject, CleanStr

MAX_OUTPUT = 20_000
# Built once: composing them takes longer than running them.
_ATTEMPT = Statement(
    insert(ActionRun)
    .values(
        {
            name: bindparam(name)
            for name in ("task_id", "plan_hash", "ordinal", "phase", "fence", "intent_at")
        }
        | {"state": "INTENT"}
    )
    .on_conflict_do_nothing()
    .returning(ActionRun.ordinal)
)
_SET_STATE = Statement(
    update(ActionRun.__table__)  # type: ignore[arg-type]
    .where(
        ActionRun.task_id == bindparam("task"),
        ActionRun.plan_hash == bindparam("bound"),
        ActionRun.ordinal == bindparam("number"),
        ActionRun.phase == bindparam("step"),
        ActionRun.state == "INTENT",
    )
    .values(state=bindparam("state"), result_at=bindparam("result_at"))
)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """The action of a plan that a command performs."""

    ordinal: int
    phase: str
    """`do` or `undo`."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A command that is in the audit log and may now be sent."""

    grant: Grant
    call: ToolCall
    command: str
    """The command line with its secrets masked."""
    step: PlanStep | None
    seq: int


@pydantic_dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command. Its texts are cleaned on creation, because they are hashed."""

    ok: bool
    findings: CleanObject
    output: CleanStr
    milliseconds: int
    is_known: bool = True
    """Whether it is known what the command did; if not, it did not succeed either."""
    started: bool = True
    """Whether it may have run at all; if not, nothing was changed."""

    @property
    def state(self) -> str:
        """State of the attempt that it ends."""
        if not self.started:
            return NOT_STARTED
        return "DONE" if self.ok else "FAILED" if self.is_known else "UNKNOWN"


@repeat_on_conflict
def record_intent(
    board: BoardContext, grant: Grant, call: ToolCall, command: str, step: PlanStep | None = None
) -> Intent:
    """Log the command that is about to run.

    Raises `Stale` if the claim is no longer current, `ServerBlocked`, and `Refused` if the command
    is not allowed.
    A change is allowed only if it is exactly the plan's, its approvals are complete, and it was
    never attempted before. Raises `RuleBroken` if a rule of the site forbids it now; a rollback is
    never subject to these rules.
    """
    now, claim = board.clock(), grant.claim
    with board.database.transaction() as session:
        switch_is_on = kill_switch_is_on(session)
        task = claimed_task(session, claim)
        blocking.require_usable(session, grant.server_id)
        if grant.server_id != task.target_server:
            raise Refused(why=t("board.other_server", server=grant.server_id))
        if grant.directive_id is not None:
            _require_rollback(session, task, grant.directive_id, step)
        elif switch_is_on:
            raise Refused(why=t("board.switch_on"))
        elif step is None or step.phase == "do":
            # An undo is always allowed, even if the chart has changed since the action.
            permissions.require_tool(session, claim, call.tool)
        excepted: list[str] = []
        if step is not None:
            plan = _granted_plan(board, session, task, grant)
            if step.phase == "do":
                ordinal = step.ordinal
                excepted = rule_check.require_permitted(
                    session, board.planner, task, plan, ordinal, now
                )
            _record_first_attempt(session, task, grant, plan.actions[step.ordinal], call, step, now)
        link = log.append(
            session,
            EntryKind.INTENT,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={
                "server": grant.server_id,
                "tool": call.tool,
                "args": call.args,
                "command": command,
                "ordinal": step.ordinal if step else None,
                "phase": step.phase if step else "read",
                **({"excepted": excepted} if excepted else {}),
            },
            server=grant.server_id,
            title=t(f"tools.{call.tool}.title"),
        )
        return Intent(grant, call, command, step, link.seq)


def _require_rollback(
    session: Session, task: Task, directive_id: int, step: PlanStep | None
) -> None:
    """Raise `Refused` unless the directive allows a rollback and the step is a read or an undo."""
    directive = session.get(Directive, directive_id)
    known = directive is not None and directive.task_id == task.task_id
    if directive is None or not known or directive.state != "UNDOING":
        raise Refused(why=t("board.no_order"))
    if step is not None and step.phase != "undo":
        raise Refused(why=t("board.only_undo"))


def _granted_plan(board: BoardContext, session: Session, task: Task, grant: Grant) -> Plan:
    if grant.plan_hash != task.plan_hash:
        raise Refused(why=t("board.not_approved"))
    if grant.directive_id is not None:
        return stored_plan(task)
    if task.status != State.IN_PROGRESS:
        raise Refused(why=t("board.not_approved"))
    return approved_plan(board, session, task)


def _record_first_attempt(
    session: Session,
    task: Task,
    grant: Grant,
    action: Action,
    call: ToolCall,
    step: PlanStep,
    now: datetime,
) -> None:
    if call != (action.call if step.phase == "do" else action.undo):
        raise Refused(why=t("board.plan_changed"))
    attempt = {
        "task_id": task.task_id,
        "plan_hash": grant.plan_hash,
        "ordinal": step.ordinal,
        "phase": step.phase,
        "fence": grant.claim.fence,
        "intent_at": now,
    }
    if _ATTEMPT.first(session, attempt) is None:
        raise Refused(why=t("board.already_attempted"))


@repeat_on_conflict
def record_result(board: BoardContext, intent: Intent, outcome: CommandResult) -> None:
    """Log the result of a command, even if the claim is stale by now: the command did run."""
    claim, now = intent.grant.claim, board.clock()
    output = mask_resident_numbers(outcome.output)[:MAX_OUTPUT]
    findings = hashable(outcome.findings)
    sha = digest({"findings": findings, "output": output})
    with board.database.transaction() as session:
        if intent.step is None:
            session.add(
                CommandOutput(
                    sr_id=claim.sr_id,
                    task_id=claim.task_id,
                    tool=intent.call.tool,
                    args=intent.call.args,
                    command=intent.command,
                    findings=findings,
                    output=output,
                    sha256=sha,
                    created_at=now,
                )
            )
            session.flush()
        else:
            _set_state(session, intent, outcome.state, now)
            if not outcome.ok:
                session.add(
                    FailedOutput(
                        intent=intent.seq,
                        task_id=claim.task_id,
                        command=intent.command,
                        findings=findings,
                        output=output,
                        sha256=sha,
                        created_at=now,
                    )
                )
                session.flush()
        daily_totals.add_command(session, claim, outcome.milliseconds, now)
        log.append(
            session,
            EntryKind.RESULT if outcome.ok else EntryKind.RESULT_FAILED,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={
                "intent": intent.seq,
                "tool": intent.call.tool,
                "ok": outcome.ok,
                "milliseconds": outcome.milliseconds,
                "sha256": sha,
            },
            server=intent.grant.server_id,
            title=t(f"tools.{intent.call.tool}.title"),
            milliseconds=outcome.milliseconds,
        )


def hashable(value: Any) -> Any:
    """Return findings as they are stored and hashed: floats as text, no resident number."""
    if isinstance(value, str):
        return mask_resident_numbers(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return {k: hashable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [hashable(v) for v in value]
    return value


def _set_state(session: Session, intent: Intent, state: str, now: datetime) -> None:
    assert intent.step is not None
    run = {"task": intent.grant.claim.task_id, "bound": intent.grant.plan_hash}
    run |= {"number": intent.step.ordinal, "step": intent.step.phase}
    _SET_STATE.run(session, {**run, "state": state, "result_at": now})


def attempted_actions(
    board: BoardContext, claim: Claim, plan_hash: str
) -> dict[tuple[int, str], str]:
    """Return the state of every attempted action of a plan, by (ordinal, phase)."""
    with board.database.reading() as session:
        rows = session.execute(
            select(ActionRun.ordinal, ActionRun.phase, ActionRun.state).where(
                ActionRun.task_id == claim.task_id, ActionRun.plan_hash == plan_hash
            )
        )
        return {(r.ordinal, r.phase): r.state for r in rows}


def may_have_changed(state: str | None) -> bool:
    """Return whether an attempt in this state, `None` for none, may have changed something."""
    return state not in {None, NOT_STARTED}


def completed_prefix(session: Session, task: Task, plan: Plan) -> int:
    """Count the first actions of `plan` that are already done under the task's current plan."""
    done = set(
        session.scalars(
            select(ActionRun.ordinal).where(
                ActionRun.task_id == task.task_id,
                ActionRun.plan_hash == task.plan_hash,
                ActionRun.phase == "do",
                ActionRun.state == "DONE",
            )
        )
    )
    count = 0
    pairs = zip(stored_plan(task).actions, plan.actions, strict=False)
    for ordinal, (old, new) in enumerate(pairs):
        if ordinal not in done or old.call != new.call:
            break
        count += 1
    return count


def carry_over(session: Session, task_id: int, before: str, after: str, kept: int) -> None:
    """Copy the first `kept` actions from the plan `before` to the plan `after`.

    They then count as done under the new plan: they are not repeated, and a rollback of the new
    plan undoes them too.
    """
    columns = [ActionRun.phase, ActionRun.state, ActionRun.fence, ActionRun.intent_at]
    columns += [ActionRun.task_id, ActionRun.ordinal, ActionRun.result_at]
    rows = select(literal(after), *columns).where(
        ActionRun.task_id == task_id,
        ActionRun.plan_hash == before,
        ActionRun.phase == "do",
        ActionRun.ordinal < kept,
    )
    session.execute(insert(ActionRun).from_select([ActionRun.plan_hash, *columns], rows))


def stale_fences(board: BoardContext, fences: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the (task, fence) pairs that are no longer current: their commands must end."""
    with board.database.reading() as session:
        numbers = {task_id for task_id, _ in fences}
        rows = session.execute(select(Task.task_id, Task.fence).where(Task.task_id.in_(numbers)))
        return set(fences) - {(r.task_id, r.fence) for r in rows}


def require_current(board: BoardContext, claim: Claim) -> None:
    """Raise `Stale` if the task was reclaimed or overridden since this claim."""
    with board.database.reading() as session:
        row = session.execute(
            select(Task.fence, Task.run_id).where(Task.task_id == claim.task_id)
        ).one()
    if (row.fence, row.run_id) != (claim.fence, claim.run_id):
        raise Stale(what=issue_ref(claim.sr_id))


@repeat_on_conflict
def resolve_unknown(board: BoardContext, grant: Grant, step: PlanStep, *, happened: bool) -> None:
    """Close a step whose result is not known, once a read of the server has shown what happened."""
    claim, now = grant.claim, board.clock()
    state = "DONE" if happened else "UNKNOWN"
    with board.database.transaction() as session:
        claimed_task(session, claim)
        session.execute(
            update(ActionRun)
            .where(
                ActionRun.task_id == claim.task_id,
                ActionRun.plan_hash == grant.plan_hash,
                ActionRun.ordinal == step.ordinal,
                ActionRun.phase == step.phase,
                ActionRun.state.in_(("INTENT", "UNKNOWN")),
            )
            .values(state=state, result_at=now)
        )
        log.append(
            session,
            EntryKind.FOUND_DONE if happened else EntryKind.FOUND_UNKNOWN,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={"ordinal": step.ordinal, "phase": step.phase, "happened": happened},
            server=grant.server_id,
            ordinal=step.ordinal + 1,
        )
