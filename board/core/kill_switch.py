"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.model import Directive, KillSwitchActivation

_IS_ON = select(func.kill_switch_is_on())


def kill_switch_is_on(session: Session) -> bool:
    """Whether the kill switch is on; nobody can turn it until this transaction ends.

    Call it before a task is locked: whoever turns the switch locks in that order too.
    """
    return bool(session.scalar(_IS_ON))


@dataclass(frozen=True, slots=True)
class ActiveKillSwitch:
    """The switch while it is on."""

    kill_id: int
    ordered_by: str
    reason: str
    ordered_at: datetime
    undoing: int
    """Tasks that are still being undone."""


def active_kill_switch(board: BoardContext) -> ActiveKillSwitch | None:
    """The switch where it is on; ``None`` where work may go on."""
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
    """What people call whoever turned the switch."""
    with board.database.reading() as session:
        return display_names_of(session, [active.ordered_by])
