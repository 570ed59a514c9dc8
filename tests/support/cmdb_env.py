"""Changes of the CMDB in tests: from CSV texts and single entries."""

from __future__ import annotations

from typing import Any

from board_env import BoardEnv
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from guardia.board.cmdb import applying
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.imports.decoding import ImportFile
from guardia.board.cmdb.imports.reading import ServerImport, read_servers
from guardia.board.core.actors import Actor

BY = Actor.operator("test")


def csv_set(text: str, **more: Any) -> ChangeSet:
    """Return the changes of a CSV text."""
    return read_servers(ImportFile("servers.csv", text.encode()), ServerImport(**more))


def apply(env: BoardEnv, given: ChangeSet, **more: Any) -> tuple[int | None, dict[str, int]]:
    """Apply changes; return the revision and how many entries were added, changed, removed."""
    number, found = applying.apply(env.board, BY, given, **more)
    return number, {verb: found.count(verb) for verb in ("added", "changed", "removed")}


def keys(count: int) -> list[str]:
    """Return new public keys."""
    made = (Ed25519PrivateKey.generate().public_key() for _ in range(count))
    return [k.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for k in made]


def enter(env: BoardEnv, *drafts: tuple[str, dict[str, Any]]) -> None:
    """Apply entries of the roster."""
    given = [Draft(kind, n, values) for n, (kind, values) in enumerate(drafts, 1)]
    applying.apply(env.board, BY, ChangeSet(given, source="test"))
