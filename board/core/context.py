"""TODO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.planner import Planner
from guardia.db.engine import Database


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class CheckpointSigner(Protocol):
    """Signs checkpoints of the audit log; `integrity.notary` is the one that does."""

    def sign(self, board: BoardContext) -> object:
        """Sign the log as it is now. Raises `Refused` if it was rewritten."""


@dataclass(frozen=True, slots=True)
class BoardContext:
    """Where use cases find the database, the clock and the record's notary."""

    database: Database
    clock: Callable[[], datetime] = utc_now
    decision_signer: DecisionSigner = field(default_factory=DecisionSigner.ephemeral)
    """Signs people's decisions; the product gives the installation's own."""
    notary: CheckpointSigner | None = None
    """Signs checkpoints; ``None`` where this process carries nothing out."""

    planner: Planner | None = None
    """Makes what people plan concrete; ``None`` where this process takes no such orders."""

    def sign_checkpoint(self) -> None:
        """Sign the record as it stands, before something privileged; never in a transaction.

        ``Refused`` where it was rewritten since the last checkpoint: nothing is built on that.
        What stops work does not wait for this, nor fail by it: see ``seal_soon``.
        """
        if self.notary is not None:
            self.notary.sign(self)
