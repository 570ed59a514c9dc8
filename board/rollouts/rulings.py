"""What the rules of the site say to the plans of a rollout, and the exceptions that it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Plan, RuleException
from guardia.board.core.planner import Planner
from guardia.board.execution import rule_check
from guardia.board.execution.rule_check import RuleStatus, Ruling
from guardia.board.rollouts.policy import RolloutState
from guardia.board.rollouts.server_steps import StepRow, ordered_steps
from guardia.errors import RuleBroken

_OPEN = {RolloutState.DRAFT, RolloutState.PENDING}


@dataclass(frozen=True, slots=True)
class RolloutRule:
    """One rule, and the servers to which it says the same."""

    status: RuleStatus
    servers: tuple[str, ...]


def rules_of(board: BoardContext, number: int, state: RolloutState) -> tuple[RolloutRule, ...]:
    """Return what the rules say to a rollout that has not begun."""
    if state not in _OPEN:
        return ()
    with board.database.reading() as session:
        return tuple(_grouped(_rulings(session, board.planner, number, board.clock())))


def require_kept(
    session: Session, planner: Planner, number: int, reason: str, now: datetime
) -> tuple[RuleException, ...]:
    """Give the plans of a draft the exceptions that they need; return each once.

    Raises `RuleBroken` if a plan breaks a rule and there is no reason for an exception.
    """
    found = _rulings(session, planner, number, now)
    broken = [
        f"{Plan.model_validate(step.plan).server}: {sentence}"
        for step, ruling in found
        if ruling.broken
        for sentence in ruling.sentences
    ]
    if broken and not reason:
        raise RuleBroken(why="\n".join(dict.fromkeys(broken)))
    given: dict[tuple[str, int, str], RuleException] = {}
    for step, ruling in found if reason else ():
        exceptions = rule_check.exceptions_for(ruling, reason)
        if exceptions:
            plan = Plan.model_validate(step.plan).model_copy(update={"exceptions": exceptions})
            step.plan = plan.model_dump(mode="json")
        for one in exceptions:
            given.setdefault((one.rule, one.version, one.hash), one)
    session.flush()
    return tuple(given.values())


def _rulings(
    session: Session, planner: Planner, number: int, at: datetime
) -> list[tuple[StepRow, Ruling]]:
    steps = ordered_steps(session, number)
    plans = [(batch, Plan.model_validate(step.plan)) for batch, step in steps]
    rulings = rule_check.rule_on_bundle(session, planner, plans, at)
    return [(step, ruling) for (_, step), ruling in zip(steps, rulings, strict=True)]


def _grouped(rulings: list[tuple[StepRow, Ruling]]) -> Iterator[RolloutRule]:
    """Put servers together to which a rule says the same; what forbids comes first."""
    found: dict[tuple[str, str, str], tuple[RuleStatus, list[str]]] = {}
    for step, ruling in rulings:
        server = Plan.model_validate(step.plan).server
        for status in ruling.rules:
            key = (status.rule.name, status.state, status.why)
            servers = found.setdefault(key, (status, []))[1]
            if server not in servers:
                servers.append(server)
    order = ("broken", "waits", "excepted", "read_first", "kept")
    for status, servers in sorted(found.values(), key=lambda one: order.index(one[0].state)):
        yield RolloutRule(status, tuple(servers))
