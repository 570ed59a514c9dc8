"""Plan a change on each server of a run, with what the rules of the site say to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardia.board.control import manual_plans
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Category, Plan
from guardia.board.core.planner import ActionDraft, ReadEvidence
from guardia.board.execution import plan_history, rule_check
from guardia.errors import GuardiaError, Invalid
from guardia.i18n import t
from guardia.org.directory import Host, PersonInfo


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """One server of a run before it begins."""

    host: Host
    plan: Plan | None = None
    """The plan of a change."""
    why: str = ""
    """Why it is left out; empty: it is not."""
    rules: str = ""
    """What the rules of the site say to the change."""


def plan_all(
    board: BoardContext,
    person: PersonInfo,
    hosts: Sequence[Host],
    draft: ActionDraft,
    reason: str,
    sr_id: int | None,
) -> list[PlannedTarget]:
    """Plan a forced change on each server; one that cannot be planned is left out with the reason.

    Raises `Invalid` if a value is wrong on all servers alike.
    """
    now = board.clock()
    found = []
    for host in hosts:
        evidence: tuple[ReadEvidence, ...] = ()
        if sr_id is not None:
            with board.database.reading() as session:
                evidence = tuple(plan_history.evidence_of(session, sr_id, host.server_id))
        try:
            action = board.planner.build_action(draft, host, Category.FORCED, evidence)
        except Invalid as error:
            # A value that is wrong on one server is so on each.
            error.detail.setdefault("field", f"arg-{error.detail.get('argument', '')}")
            raise
        except GuardiaError as error:
            found.append(PlannedTarget(host, why=str(error)))
            continue
        plan = manual_plans.forced_plan(person, host, action, reason)
        if action.undo is None:
            found.append(PlannedTarget(host, plan, why=t("remote.no_undo")))
            continue
        call = action.call
        trial = rule_check.try_action(board, host.server_id, call.tool, dict(call.args), now)
        sentences = "\n".join(trial.ruling.sentences)
        why = t("remote.rule_broken", why=sentences) if trial.ruling.broken else ""
        found.append(PlannedTarget(host, plan, why or _blocked(host), sentences))
    return found


def _blocked(host: Host) -> str:
    return t("remote.blocked", why=host.blocked) if host.blocked else ""
