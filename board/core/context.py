"""Dependencies of every use case: database, signing keys, planner and clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.local_stop import LocalStop
from guardia.board.core.planner import Planner
from guardia.db.clock import DatabaseClock
from guardia.db.engine import Database
from guardia.errors import ClockOff
from guardia.org.account_policy import AccountPolicy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    from guardia.board.audit.checkpoint import Checkpoint
    from guardia.board.audit.witness_files import WitnessFiles


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class CheckpointSigner(Protocol):
    """Signs checkpoints of the audit log; implemented in `integrity.notary`."""

    @property
    def witness_files(self) -> WitnessFiles:
        """Paths of the key, the copies of checkpoints and the verifier's state."""

    def sign(self, board: BoardContext) -> Checkpoint | None:
        """Sign the log as it is now. Raises `Refused` if it was rewritten."""

    def root_key(self) -> Ed25519PublicKey | None:
        """Return the first public key, or `None` before the first checkpoint."""

    def key(self, board: BoardContext) -> Ed25519PrivateKey:
        """Return the key of the next checkpoint. Raises `Misconfigured` if this host lacks it."""


@dataclass(frozen=True, slots=True)
class BoardContext:
    """Dependencies of every use case. A process without keys uses `keyless.keyless_context`."""

    database: Database
    decision_signer: DecisionSigner
    """Signs people's decisions with the installation's key."""
    notary: CheckpointSigner
    planner: Planner
    """Turns the drafts of people into concrete actions."""
    clock: Callable[[], datetime] = utc_now
    local_stop: LocalStop | None = None
    """Stops the workers of this host if the board cannot be reached."""
    accounts: AccountPolicy = field(default_factory=AccountPolicy)
    """What the installation demands of accounts."""

    def current_time(self) -> datetime:
        """Return the time for reads and for stopping, even if this host may not work.

        `clock` refuses while a clock is off: see `guardia.db.clock`.
        """
        return self.clock.time() if isinstance(self.clock, DatabaseClock) else self.clock()

    def clock_problem(self) -> ClockOff | None:
        """Return what is wrong with the clocks, or `None`."""
        return self.clock.problem() if isinstance(self.clock, DatabaseClock) else None

    def sign_checkpoint(self) -> None:
        """Sign the audit log before a privileged act; call it outside of any transaction.

        Raises `Refused` if the log was rewritten since the last checkpoint. Directives that stop
        work neither wait for this nor fail because of it: see `directives`.
        """
        self.notary.sign(self)
