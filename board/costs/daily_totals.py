"""Sums of costs by day and by issue, updated in the transactions that they count."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.claims import Claim
from guardia.board.core.model import Issue, Task
from guardia.board.core.run_model import Run
from guardia.board.costs import budget_accounts
from guardia.board.costs.model import CostDay, CostIssue, ModelCall
from guardia.db.statement import Statement
from guardia.org import revisions

_UNUSED = ("unusable", "failed", "refused", "abandoned")
_NO_MODEL = ""
_INSTITUTION = Statement(
    select(Issue.inst_id)
    .join(Task, Task.sr_id == Issue.sr_id)
    .where(Task.task_id == bindparam("task", type_=BigInteger()))
)
_OF_ISSUE = Statement(select(Issue.inst_id).where(Issue.sr_id == bindparam("issue")))
_COMMAND = Statement(
    update(Run.__table__)  # type: ignore[arg-type]
    .where(Run.run_id == bindparam("run"))
    .values(commands=Run.commands + 1)
)


def institution_of(session: Session, sr_id: int | None) -> str:
    """Return the institution of an issue; empty while unknown."""
    return _OF_ISSUE.first(session, {"issue": sr_id}) or ""


def add_tokens(session: Session, call: ModelCall) -> None:
    """Add the tokens of a call to its run."""
    more = Run.tokens + call.tokens_in + call.tokens_out
    session.execute(update(Run).where(Run.run_id == call.run_id).values(tokens=more))


def add_call(session: Session, call: ModelCall) -> None:
    """Add a settled call to its day and issue."""
    used = {"tokens_in": call.tokens_in, "tokens_out": call.tokens_out, "cost": call.cost}
    more = {"unused": int(call.outcome in _UNUSED), "latency_ms": call.latency_ms}
    _add(
        session,
        CostDay,
        _day_key(call.day, call.agent_id, call.inst_id, call.model),
        {"calls": 1, **used, **more},
    )
    if call.sr_id is not None:
        _add(session, CostIssue, _issue_key(call.day, call.sr_id), {"calls": 1, **used})


def add_command(session: Session, claim: Claim, milliseconds: int, now: datetime) -> None:
    """Add one remote command to its run, day and issue."""
    day = budget_accounts.today(revisions.running_chart(session), now)
    more = {"commands": 1, "command_ms": max(0, milliseconds)}
    _COMMAND.run(session, {"run": claim.run_id})
    inst = institution_of(session, claim.sr_id)
    _add(session, CostDay, _day_key(day, claim.agent_id, inst, _NO_MODEL), more)
    _add(session, CostIssue, _issue_key(day, claim.sr_id), more)


def add_run(session: Session, agent_id: str, task_id: int, begun: datetime, now: datetime) -> None:
    """Add one run that worked on a task to its day."""
    milliseconds = max(0, round((now - begun).total_seconds() * 1000))
    day = budget_accounts.today(revisions.running_chart(session), now)
    inst = _INSTITUTION.first(session, {"task": task_id}) or ""
    key = _day_key(day, agent_id, inst, _NO_MODEL)
    _add(session, CostDay, key, {"runs": 1, "wall_ms": milliseconds})


def _day_key(day: date, agent_id: str, inst_id: str, model: str) -> dict[str, Any]:
    return {"day": day, "agent_id": agent_id, "inst_id": inst_id, "model": model}


def _issue_key(day: date, sr_id: int) -> dict[str, Any]:
    return {"month": day.replace(day=1), "sr_id": sr_id}


def _add(
    session: Session,
    table: type[CostDay] | type[CostIssue],
    key: dict[str, Any],
    more: dict[str, int],
) -> None:
    _upsert(table, tuple(key), tuple(more)).run(session, {**key, **more})


@cache
def _upsert(
    table: type[CostDay] | type[CostIssue], key: tuple[str, ...], more: tuple[str, ...]
) -> Statement:
    """Return the upsert of one kind of sum; cached because composing it takes longer than running
    it.
    """
    whole: Any = table.__table__
    row = insert(whole).values({name: bindparam(name) for name in (*key, *more)})
    added = {name: whole.c[name] + row.excluded[name] for name in more}
    return Statement(row.on_conflict_do_update(index_elements=list(key), set_=added))
