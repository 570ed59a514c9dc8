"""Table and state of the kill switch; `control.kill_switch` turns it on and off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Directive, KillSwitchActivation
from guardia.db.statement import Statement

_IS_ON = Statement(select(func.kill_switch_is_on()))


def kill_switch_is_on(session: Session) -> bool:
    """Return whether the kill switch is on, and lock it until this transaction ends.

    Call it before locking a task: activating the switch takes the locks in the same order.
    """
    return bool(_IS_ON.first(session))


@dataclass(frozen=True, slots=True)
class ActiveKillSwitch:
    """The unreleased activation of the kill switch."""

    kill_id: int
    ordered_by: str
    reason: str
    ordered_at: datetime
    undoing: int
    """Number of tasks that are still being undone."""


def active_kill_switch(board: BoardContext) -> ActiveKillSwitch | None:
    """Return the activation of the kill switch, or `None` if it is off."""
    with board.database.reading() as session:
        activation = session.scalar(
            select(KillSwitchActivation).where(KillSwitchActivation.released_at.is_(None))
        )
        if activation is None:
            return None
        undoing = session.scalar(
            select(func.count()).select_from(Directive).where(Directive.state == "UNDOING")
        )
        return ActiveKillSwitch(
            activation.kill_id,
            activation.ordered_by,
            activation.reason,
            activation.ordered_at,
            undoing or 0,
        )


def activator_names(board: BoardContext, active: ActiveKillSwitch) -> dict[str, str]:
    """Return the display name of the person who activated the switch, by stored form."""
    with board.database.reading() as session:
        return display_names_of(session, [active.ordered_by])
