"""Read access of external agents to their task: the request, the filed plan, the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.execution import view
from guardia.board.execution.model import CommandOutput
from guardia.board.site_rules import store

PAGE_SIZE = 20
"""Evidence items in one response."""
_MAX_OUTPUT = 4000


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """The result of one read."""

    evidence_id: int
    tool: str
    findings: dict[str, Any]
    output: str
    sha256: str
    created_at: datetime


def evidence(board: BoardContext, claim: Claim, after: int) -> list[EvidenceItem]:
    """Return the next page of the task's evidence after the id `after`, oldest first."""
    with board.database.reading() as session:
        rows = session.scalars(
            select(CommandOutput)
            .where(CommandOutput.task_id == claim.task_id, CommandOutput.evidence_id > after)
            .order_by(CommandOutput.evidence_id)
            .limit(PAGE_SIZE)
        )
        return [
            EvidenceItem(
                r.evidence_id, r.tool, r.findings, r.output[:_MAX_OUTPUT], r.sha256, r.created_at
            )
            for r in rows
        ]


def task(board: BoardContext, claim: Claim) -> dict[str, Any]:
    """Return the task as JSON: its request, state and plan, with the changes people requested."""
    found, filed = view.task(board, claim.task_id), view.plan_state(board, claim.task_id)
    return {
        "task": claim.task_id,
        "issue": claim.sr_id,
        "agent": claim.agent_id,
        "state": found.state.value,
        "kind": found.kind,
        "title": found.title,
        "request": found.body,
        "server": found.server,
        "attempt": found.attempt,
        "plan": filed.plan.model_dump(mode="json") if filed.plan else None,
        "plan_hash": filed.plan_hash,
        "changes_wanted": _changes_wanted(board, claim.task_id),
        "rules": _rules(board, found.server),
    }


def _rules(board: BoardContext, server: str | None) -> list[dict[str, Any]]:
    """Return the rules of the site that bind changes of a server, as data."""
    if server is None:
        return []
    with board.database.reading() as session:
        return [
            {"name": one.name, "sentence": one.sentence, "rule": one.rule and one.rule.as_data()}
            for one in store.rules_of_server(session, server)
        ]


def _changes_wanted(board: BoardContext, task_id: int) -> str | None:
    """Return the changes that people requested, or `None` if the plan was not returned."""
    guidance = view.guidance(board, task_id)
    return guidance.requests[-1] if guidance.returned is not None else None
