"""Witnesses outside the database: the verifier state, and this host's memory of its witnesses.

The verifier state is what this host's verifier last found intact, so that a database restored to
an older state is detected. The memory names the newest checkpoint that this host has seen and the
end of each copy: what existed once must exist, so a witness that is gone, emptied, cut or replaced
is found even if nothing contradicts it any more. Each of the two files shows whether the other one
exists. Do not call anything here inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from guardia.board.audit.witness_files import WitnessFiles
from guardia.db.private_files import locked, read_json, write_json
from guardia.errors import Misconfigured
from guardia.i18n import t

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class VerifierState:
    """What the verifier last found intact."""

    size: int
    head: str
    key: str
    """Fingerprint of the checkpoints' key."""
    checkpoint: int
    """Size of the last checkpoint, or 0."""
    identity: str
    witnessed: bool = False
    """Whether the memory of witnesses existed; earlier versions had none."""


@dataclass(frozen=True, slots=True)
class CopyEnd:
    """The last line of a copy when it was written."""

    size: int
    """Entries that its checkpoint covers."""
    identity: str
    start: int
    """Position of the line in the file."""
    end: int


@dataclass(frozen=True, slots=True)
class WitnessMemory:
    """What this host knows of its witnesses."""

    size: int = 0
    """Entries that the newest checkpoint covers."""
    identity: str = ""
    verified: bool = False
    """Whether a verifier state has been saved."""
    copies: dict[str, CopyEnd] = field(default_factory=dict)
    """The end of each copy, by its path."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-compatible values; `asdict` would copy each value."""
        return _fields(self) | {"copies": {p: _fields(end) for p, end in self.copies.items()}}


def load_verifier_state(path: Path) -> VerifierState | None:
    """Return the saved state, or `None`. Raises `Misconfigured` if it is damaged."""
    return _build(path, VerifierState, read_json(path)) if path.exists() else None


def save_verifier_state(files: WitnessFiles, seen: VerifierState) -> None:
    """Save the state unless a saved one reaches further, and remember that there is one."""
    path = files.verifier_state
    before = load_verifier_state(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if before is None or before.size <= seen.size:
        write_json(path, asdict(seen))
    update_memory(files, lambda memory: replace(memory, verified=True))


def load_memory(path: Path) -> WitnessMemory | None:
    """Return what is known of the witnesses, or `None`. Raises `Misconfigured` if damaged."""
    if not path.exists():
        return None
    found = read_json(path)
    copies = found.get("copies", {})
    if not isinstance(copies, dict):
        raise _damaged(path)
    ends = {place: _build(path, CopyEnd, end) for place, end in copies.items()}
    return _build(path, WitnessMemory, {**found, "copies": ends})


def update_memory(
    files: WitnessFiles,
    change: Callable[[WitnessMemory], WitnessMemory],
    load: Callable[[Path], WitnessMemory | None] = load_memory,
) -> None:
    """Change what is known of the witnesses; processes of this host take turns."""
    path = files.memory
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock")):
        before = load(path)
        after = change(before or WitnessMemory())
        if after != before:
            # A new file must survive a power failure, because the verifier state will say that it
            # exists. If its replacement does not, the former content is true as well, of less.
            write_json(path, after.to_dict(), new=before is None)


def _build(path: Path, kind: type[_T], values: Any) -> _T:
    """Return the object with these fields. Raises `Misconfigured` if they do not fit."""
    try:
        made = kind(**values)
    except TypeError as error:
        raise _damaged(path) from error
    for name in kind.__slots__:  # type: ignore[attr-defined]
        value = getattr(made, name)
        # bool is a subclass of int in Python, but a type of its own in JSON.
        if type(value) is not _TYPES.get(name, int) or (isinstance(value, int) and value < 0):
            raise _damaged(path)
    return made


def _fields(value: WitnessMemory | CopyEnd) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


_TYPES: dict[str, type] = {
    "head": str,
    "key": str,
    "identity": str,
    "witnessed": bool,
    "verified": bool,
    "copies": dict,
}
"""Types of the fields that are no counts."""


def _damaged(path: Path) -> Misconfigured:
    return Misconfigured(what=str(path), why=t("audit.bad_memory"))
