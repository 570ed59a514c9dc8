"""The hash chain as pure functions: entries, their hashes, and finding the first bad one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from guardia.board.audit.canonical import (
    JSON,
    canonical,
    from_microseconds,
    to_microseconds,
)

ORIGIN = "0" * 64
_ENTRY_DOMAIN = b"guardia.audit.entry.v1\n"
ENTRY_DOMAIN = _ENTRY_DOMAIN.decode()
"""Text before the canonical bytes of an entry when they are hashed."""
SEQ_NAME = '","seq":'
"""Text between the previous hash and the number of an entry in its canonical bytes."""


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """One entry of the audit log, as it is hashed."""

    seq: int
    created_at: datetime
    actor: str
    kind: str
    sr_id: int | None
    task_id: int | None
    log_content: str
    detail: dict[str, Any]
    previous_hash: str
    current_hash: str = ""

    def hash(self) -> str:
        """Return the value that `current_hash` must have."""
        return hashlib.sha256(self.signed_bytes()).hexdigest()

    def signed_bytes(self) -> bytes:
        """Return the bytes that are hashed."""
        return _ENTRY_DOMAIN + canonical(self.body())

    @property
    def consistent(self) -> bool:
        """Always true: there are no bytes that the values could contradict."""
        return True

    def may_hold(self, name: str) -> bool:
        """Return whether the details have a value of this name."""
        return name in self.detail

    def parse(self) -> ChainEntry:
        """Return the entry itself."""
        return self

    def stored(self, canonical_text: str | None = None) -> StoredEntry:
        """Return the entry as the database stores it, with the stored canonical bytes if given.

        The columns are consistent only if their own canonical bytes are the stored ones.
        """
        try:
            own = canonical(self.body()).decode("utf-8")
        except TypeError:
            own = None
        text = own or "" if canonical_text is None else canonical_text
        links = (self.seq, self.created_at, self.kind, self.previous_hash, self.current_hash)
        return StoredEntry(*links, text, own is not None and own == text)

    def body(self) -> dict[str, Any]:
        """Return everything but its own hash, as JSON-compatible values."""
        return {
            "seq": self.seq,
            "created_at": to_microseconds(self.created_at),
            "actor": self.actor,
            "kind": self.kind,
            "sr_id": self.sr_id,
            "task_id": self.task_id,
            "log_content": self.log_content,
            "detail": self.detail,
            "previous_hash": self.previous_hash,
        }


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What an entry says, before its place in the chain is known."""

    actor: str
    kind: str
    sr_id: int | None
    task_id: int | None
    log_content: str
    detail: dict[str, Any]

    def fragments(self) -> tuple[str, str, str]:
        """Return its canonical bytes as text, without time, previous hash and number.

        These belong between the fragments, in this order: `created_at` after the first,
        `previous_hash` and `seq` after the second, joined by `SEQ_NAME`.
        """
        actor, kind, content = map(JSON.encode, (self.actor, self.kind, self.log_content))
        detail = canonical(self.detail).decode("utf-8")
        sr_id, task_id = map(JSON.encode, (self.sr_id, self.task_id))
        return (
            f'{{"actor":{actor},"created_at":',
            f',"detail":{detail},"kind":{kind},"log_content":{content},"previous_hash":"',
            f',"sr_id":{sr_id},"task_id":{task_id}}}',
        )

    def placed(
        self,
        fragments: tuple[str, str, str],
        seq: int,
        created_at: datetime,
        previous_hash: str,
    ) -> ChainEntry:
        """Return the entry at its place in the chain, with the hash of its canonical bytes."""
        first, second, last = fragments
        moment = to_microseconds(created_at)
        text = f"{first}{moment}{second}{previous_hash}{SEQ_NAME}{seq}{last}"
        return ChainEntry(
            seq=seq,
            created_at=created_at,
            actor=self.actor,
            kind=self.kind,
            sr_id=self.sr_id,
            task_id=self.task_id,
            log_content=self.log_content,
            detail=self.detail,
            previous_hash=previous_hash,
            current_hash=hashlib.sha256(_ENTRY_DOMAIN + text.encode("utf-8")).hexdigest(),
        )


class StoredEntry(NamedTuple):
    """One entry as the database stores it: its links, and the canonical bytes that were hashed.

    A named tuple, because a verification creates one for each row.
    """

    seq: int
    created_at: datetime
    kind: str
    previous_hash: str
    current_hash: str
    canonical: str
    """The canonical bytes, as text."""
    consistent: bool
    """Whether every other column has the value that is in the canonical bytes."""

    def hash(self) -> str:
        """Return the value that `current_hash` must have; empty if the columns contradict it."""
        if not self.consistent:
            return ""
        return hashlib.sha256(_ENTRY_DOMAIN + self.canonical.encode("utf-8")).hexdigest()

    def may_hold(self, name: str) -> bool:
        """Return whether the details may have a value of this name; without parsing them."""
        return f'"{name}":' in self.canonical

    def parse(self) -> ChainEntry:
        """Return the entry with all its values, read from the canonical bytes."""
        body = json.loads(self.canonical)
        moment = from_microseconds(body.pop("created_at"))
        return ChainEntry(**body, created_at=moment, current_hash=self.current_hash)


AnyEntry = ChainEntry | StoredEntry
"""What a walk along the chain can check."""


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """Position of a walk along the chain."""

    size: int
    head: str
    """Hash of entry `size`."""
    time: datetime | None = None
    """Its time, or `None` if unknown."""


CHAIN_START = ChainPosition(0, ORIGIN)


@dataclass(frozen=True, slots=True)
class WitnessedHead:
    """A witness's claim that entry `size` has the hash `head`."""

    size: int
    head: str
    witness: str
    """`checkpoint`, `memory` or `copy`."""
    fault: str | None = None
    """Why the witness itself cannot be trusted."""


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Result of a walk along the chain."""

    size: int
    """Number of valid entries, counted from the first."""
    head: str
    """Hash of the last valid entry."""
    bad: int | None = None
    """Number of the first bad entry, or `None`."""
    fault: str | None = None
    """For an entry: `gap`, `link`, `content`, `time`, `tail`, `rewritten`.

    For a checkpoint: a fault of `checkpoint.find_fault`. `None` if the chain is intact.
    """
    witness: str | None = None
    """The witness that contradicts the entry."""
    checkpoint: int | None = None
    """Size of the first bad checkpoint."""
    sealed: int = 0
    """Number of entries that a signed checkpoint covers."""

    @property
    def intact(self) -> bool:
        """Return whether no fault was found."""
        return self.fault is None


class ChainWalk:
    """A verification in progress. Entries and witnessed heads come in order of size.

    Memory use does not grow with the chain.
    """

    def __init__(self, start: ChainPosition = CHAIN_START) -> None:
        # Three values instead of a position: a new object for each entry would cost as much as
        # its hash.
        self._size, self._head, self._time = start.size, start.head, start.time
        self.sealed = 0

    @property
    def position(self) -> ChainPosition:
        """The last valid entry."""
        return ChainPosition(self._size, self._head, self._time)

    def check_entry(self, entry: AnyEntry) -> ChainVerdict | None:
        """Check the next entry. Returns a verdict if it is bad."""
        fault = _fault(entry, self._size, self._head, self._time)
        if fault:
            return self._bad(fault)
        self._size, self._head, self._time = entry.seq, entry.current_hash, entry.created_at
        return None

    def check_witnessed(self, witnessed: WitnessedHead) -> ChainVerdict | None:
        """Compare a witnessed head with the last entry. Returns a verdict if they differ."""
        position = self.position
        if witnessed.fault:
            return ChainVerdict(
                position.size,
                position.head,
                None,
                witnessed.fault,
                witnessed.witness,
                witnessed.size,
                self.sealed,
            )
        if witnessed.size > position.size:
            return self._bad("tail", witnessed.witness)
        if (witnessed.size, witnessed.head) != (position.size, position.head):
            return ChainVerdict(
                self.sealed,
                position.head,
                witnessed.size,
                "rewritten",
                witnessed.witness,
                None,
                self.sealed,
            )
        if witnessed.witness == "checkpoint":
            self.sealed = witnessed.size
        return None

    def end(self, size: int | None = None, head: str | None = None) -> ChainVerdict:
        """Return the final verdict; `size` and `head` are the writer's last values."""
        position = self.position
        if (size is not None and size != position.size) or (
            head is not None and head != position.head
        ):
            return self._bad("tail")
        return ChainVerdict(position.size, position.head, sealed=self.sealed)

    def _bad(self, fault: str, witness: str | None = None) -> ChainVerdict:
        position = self.position
        return ChainVerdict(
            position.size, position.head, position.size + 1, fault, witness, None, self.sealed
        )


def verify(
    entries: Iterable[AnyEntry],
    *,
    size: int | None = None,
    head: str | None = None,
    witnessed_heads: Iterable[WitnessedHead] = (),
    start: ChainPosition = CHAIN_START,
) -> ChainVerdict:
    """Walk `entries` from `start` and return the first bad entry or witness.

    `size` and `head` are the writer's last values: with them a truncated tail is found too.
    `witnessed_heads` come in order of their size.
    """
    walk, waiting = ChainWalk(start), iter(witnessed_heads)
    witnessed = next(waiting, None)
    for entry in entries:
        found = walk.check_entry(entry)
        while found is None and witnessed is not None and witnessed.size <= entry.seq:
            found = walk.check_witnessed(witnessed)
            witnessed = next(waiting, None)
        if found is not None:
            return found
    while witnessed is not None:
        found = walk.check_witnessed(witnessed)
        if found is not None:
            return found
        witnessed = next(waiting, None)
    return walk.end(size, head)


by_size = attrgetter("size")
"""Sort key of witnessed heads, for merging those of several witnesses."""


def _fault(entry: AnyEntry, size: int, head: str, time: datetime | None) -> str | None:
    if entry.seq != size + 1:
        return "gap"
    if entry.previous_hash != head:
        return "link"
    if time is not None and entry.created_at <= time:
        return "time"
    try:
        return None if entry.current_hash == entry.hash() else "content"
    except TypeError:
        return "content"
