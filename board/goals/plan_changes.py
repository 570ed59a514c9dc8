"""The difference between two plans of a goal, part by part, from the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.tracker.plan_changes import WordRun, compare_words

_FILED = (EntryKind.GOAL_PLANNED, EntryKind.GOAL_ASKED)


@dataclass(frozen=True, slots=True)
class GoalPlanChanges:
    """The present plan of a goal, compared with an earlier one."""

    author: str
    filed_at: datetime
    words: tuple[WordRun, ...]
    """All parts, a line each, word by word; empty if the earlier plan is not known."""


def goal_plan_changes(
    session: Session, sr_id: int, earlier_hash: str, present_hash: str
) -> GoalPlanChanges | None:
    """Compare a goal's present plan with an earlier one; `None` if it is not in the log."""
    rows = session.execute(
        select(AuditEntry.actor, AuditEntry.created_at, AuditEntry.detail)
        .where(
            AuditEntry.sr_id == sr_id,
            AuditEntry.kind.in_(_FILED),
            AuditEntry.detail["plan_hash"].astext.in_((earlier_hash, present_hash)),
        )
        .order_by(AuditEntry.seq)
    ).all()
    found = {row.detail["plan_hash"]: row for row in rows}
    present, earlier = found.get(present_hash), found.get(earlier_hash)
    if present is None:
        return None
    words = () if earlier is None else compare_words(_lines(earlier), _lines(present))
    return GoalPlanChanges(present.actor, present.created_at, words)


def _lines(filed: Any) -> str:
    parts: Sequence[dict[str, Any]] = filed.detail["parts"]
    return "\n".join(_line(part) for part in parts)


def _line(part: dict[str, Any]) -> str:
    shown = (part["server"], part["text"], part["agent"], part["due"], part["question"])
    return " · ".join(str(value) for value in shown if value)
