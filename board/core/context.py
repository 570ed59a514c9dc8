"""What a use case is given: the database, the keys that sign, the catalogue and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.planner import Planner
from guardia.db.engine import Database

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    from guardia.board.audit.checkpoint import Checkpoint
    from guardia.board.audit.witness_files import WitnessFiles


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class CheckpointSigner(Protocol):
    """Signs checkpoints of the audit log; `integrity.notary` is the one that does."""

    @property
    def witness_files(self) -> WitnessFiles:
        """Paths of the key, the copies of checkpoints and the verifier's state."""

    def sign(self, board: BoardContext) -> Checkpoint | None:
        """Sign the log as it is now. Raises `Refused` if it was rewritten."""

    def root_key(self) -> Ed25519PublicKey | None:
        """Return the first key of all, or `None` before the first checkpoint."""

    def key(self, board: BoardContext) -> Ed25519PrivateKey:
        """Return the key of the next checkpoint. Raises `Misconfigured` if it is not here."""


@dataclass(frozen=True, slots=True)
class BoardContext:
    """What every use case needs. A process without keys uses `keyless.keyless_context`."""

    database: Database
    decision_signer: DecisionSigner
    """Signs people's decisions with the installation's key."""
    notary: CheckpointSigner
    planner: Planner
    """Makes what people plan concrete."""
    clock: Callable[[], datetime] = utc_now

    def sign_checkpoint(self) -> None:
        """Sign the audit log before something privileged; never in a transaction.

        Raises `Refused` if it was rewritten since the last checkpoint: nothing is built on that.
        What stops work does not wait for this, nor fail by it: see `directives`.
        """
        self.notary.sign(self)
