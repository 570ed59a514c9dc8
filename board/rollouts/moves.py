"""Lock a rollout and move it along its states."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.artifacts import records
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.outbox import send
from guardia.board.rollouts.model import Rollout
from guardia.board.rollouts.policy import ENDS, MOVES, RolloutState
from guardia.errors import IllegalMove, NotFound
from guardia.i18n import t, t_default

_ALERTS = frozenset(
    {RolloutState.PAUSED, RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.FAILED}
)


def lock(session: Session, number: int) -> Rollout:
    """Lock a rollout. Raises `NotFound` if there is none."""
    row = session.get(Rollout, number, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(what=t("rollouts.number", number=number))
    return row


def move(
    session: Session, row: Rollout, to: RolloutState, by: Actor, now: datetime, reason: str
) -> None:
    """Move a locked rollout, and say so to people; call it last in a transaction.

    Raises `IllegalMove` if its state does not lead there.
    """
    before = RolloutState(row.state)
    if to not in MOVES.get(before, frozenset()):
        word = t(f"rollouts.state.{before}")
        raise IllegalMove(state=word, move=t(f"rollouts.state.{to}"))
    row.state, row.reason = to.value, reason
    row.advanced_at, row.advanced_by = now, None
    if to in ENDS:
        row.ended_at = now
        records.release(session, f"rollout:{row.rollout_id}")
    text = t_default(
        "rollouts.moved", state=t_default(f"rollouts.state.{to}"), reason=reason or "-"
    )
    if to in _ALERTS:
        send(session, "alert", f"[{row.title}] {text}", now, sr_id=row.sr_id)
    session.flush()
    log.append(
        session,
        EntryKind.ROLLOUT_MOVED,
        actor=str(by),
        now=now,
        sr_id=row.sr_id,
        detail={
            "rollout": row.rollout_id,
            "before": before.value,
            "state": to.value,
            "reason": reason,
        },
        number=row.rollout_id,
        text=text,
    )
