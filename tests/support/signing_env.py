"""Keys for tests: an ephemeral signer, and a notary that signs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.context import BoardContext


def ephemeral_signer() -> DecisionSigner:
    """Return a signer with a new key that is stored nowhere."""
    ring = (Ed25519PrivateKey.generate(),)
    return DecisionSigner(lambda: ring)


class SilentNotary:
    """Signs no checkpoint; counts how often it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.witness_files = WitnessFiles(folder / "chain-signing-key", folder / "verified.json")
        self.asked = 0

    def sign(self, _board: BoardContext) -> None:
        self.asked += 1

    def root_key(self) -> None:
        return None

    def key(self, _board: BoardContext) -> NoReturn:
        raise AssertionError("no checkpoint is signed here")
