"""Whether the record holds: links, signed checkpoints, copies outside, memory, kept outputs.

By default only what is new since this host's verifier last looked is walked; the full walk begins
at the first entry and also looks at intents, results and outputs.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice, pairwise
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log
from guardia.board.audit.chain import (
    CHAIN_START,
    ChainEntry,
    ChainPosition,
    ChainVerdict,
    WitnessedHead,
    by_size,
    verify,
)
from guardia.board.audit.checkpoint import Checkpoint, fingerprint
from guardia.board.audit.signing_keys import (
    CHECKPOINT_KEYS,
    DecisionSignatureChecker,
    KeySuccession,
)
from guardia.board.core.context import Desk
from guardia.board.integrity import output_check
from guardia.board.integrity.notary import require_notary
from guardia.board.integrity.output_check import IntentResultChecker
from guardia.board.integrity.witnesses import (
    CheckpointCopy,
    VerifierState,
    WitnessFiles,
    load_verifier_state,
    save_verifier_state,
)
from guardia.errors import Invalid
from guardia.i18n import t

_BATCH = 1000
_COPY_DELAY = timedelta(minutes=5)
"""After so long, a checkpoint has reached its copies."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What one verification found."""

    verdict: ChainVerdict
    start: int
    """Entries that were taken as verified before."""
    unsettled: tuple[int, ...] = ()
    """Intents whose result is overdue. Only a full verification looks."""
    missing: tuple[str, ...] = ()
    """Copies that are not there, or lack the newest checkpoints."""

    @property
    def intact(self) -> bool:
        """Whether everything holds."""
        return self.verdict.intact

    def words(self) -> dict[str, Any]:
        """For programs and for the record."""
        v = self.verdict
        return {
            "intact": v.intact,
            "size": v.size,
            "head": v.head,
            "from": self.start,
            "sealed": v.sealed,
            "bad": v.bad,
            "fault": v.fault,
            "witness": v.witness,
            "checkpoint": v.checkpoint,
            "unsettled": list(self.unsettled),
            "missing": list(self.missing),
        }


def verify_log(desk: Desk, *, full: bool = False, since: int | None = None) -> VerificationResult:
    """Verify the record; what holds is remembered, unless ``since`` says where to begin."""
    if desk.notary is None:
        with desk.database.reading() as session:
            return VerificationResult(log.verify_all(session), 0)
    notary = require_notary(desk)
    places, key = notary.places, notary.public()
    memory = load_verifier_state(places.memory)
    # What lies outside is looked at first: the database may only be ahead of it.
    copies = [(copy, copy.length()) for copy in map(CheckpointCopy, places.copies)]
    found, last = _verify_database(desk, key, memory, full=full, since=since)
    start = found.start
    for copy, length in copies:
        if not found.intact or key is None:
            break
        verdict, size = _compare(desk, key, copy, length or 0, found.verdict, start)
        found = replace(found, verdict=verdict or found.verdict)
        late = last and size < last.size and desk.clock() - last.time > _COPY_DELAY
        if late or (last and length is None):
            found = replace(found, missing=(*found.missing, str(copy.path)))
    if found.intact and since is None:
        _save_state(places, key, found.verdict, last)
    return found


def _verify_database(
    desk: Desk,
    key: Ed25519PublicKey | None,
    memory: VerifierState | None,
    *,
    full: bool,
    since: int | None,
) -> tuple[VerificationResult, Checkpoint | None]:
    """The walk over the database; the file of the memory has been read before."""
    settlement, seals = IntentResultChecker(), DecisionSignatureChecker()
    with desk.database.reading() as session:
        start = _start(session, memory, full=full, since=since)
        links: Iterable[ChainEntry] = log.entries(session, start.size)
        if start is CHAIN_START:
            links = seals.watch(settlement.watch(links))
        end = log.head(session)
        marks = heapq.merge(
            _checkpoint_heads(session, key, memory, start.size),
            _remembered_heads(memory, key, start.size),
            key=by_size,
        )
        verdict = verify(links, size=end.size, head=end.head, marks=marks, start=start)
        if verdict.fault == "succession":
            # Not the checkpoint is bad, but the entry that announces a key.
            verdict = replace(verdict, bad=verdict.checkpoint, checkpoint=None)
        if verdict.intact and memory is not None and not _is_checkpoint_kept(session, memory):
            verdict = replace(
                verdict, fault="missing", witness="memory", checkpoint=memory.checkpoint
            )
        if verdict.intact and start is CHAIN_START:
            verdict = _check_outputs(session, verdict, settlement, seals)
        last = log.last_checkpoint(session)
    if verdict.intact and last is not None:
        verdict = replace(verdict, sealed=max(verdict.sealed, last.size))
    unsettled = settlement.unsettled(desk.clock())
    return VerificationResult(verdict, start.size, unsettled), last


def _start(
    session: Session, memory: VerifierState | None, *, full: bool, since: int | None
) -> ChainPosition:
    """Where to begin. What was remembered and is no longer so makes the walk a full one."""
    if since is not None:
        link = log.entry_at(session, since) if since else None
        if since and (link is None or link.hash() != link.current_hash):
            raise Invalid(what=f"--since {since}", why=t("audit.no_start"))
        return ChainPosition(link.seq, link.current_hash, link.created_at) if link else CHAIN_START
    if full or memory is None or memory.size == 0:
        return CHAIN_START
    link = log.entry_at(session, memory.size)
    if link is None or not _is_checkpoint_kept(session, memory):
        return CHAIN_START
    if link.current_hash != memory.head or _hash(link) != memory.head:
        return CHAIN_START
    return ChainPosition(link.seq, link.current_hash, link.created_at)


def _is_checkpoint_kept(session: Session, memory: VerifierState) -> bool:
    """Whether the checkpoint that was last seen is still there."""
    last = log.last_checkpoint(session, memory.checkpoint)
    known = (last.size, last.identity()) if last else (0, "")
    return known == (memory.checkpoint, memory.identity)


def _hash(link: ChainEntry) -> str | None:
    try:
        return link.hash()
    except TypeError:
        return None


def _checkpoint_heads(
    session: Session, key: Ed25519PublicKey | None, memory: VerifierState | None, start: int
) -> Iterator[WitnessedHead]:
    before = log.last_checkpoint(session, start) if start else None
    series = log.checkpoints(session, before.size if before else 0)
    if key is None:
        yield from (WitnessedHead(c.size, c.head, "checkpoint", "key") for c in series)
        return
    line, known = KeySuccession(CHECKPOINT_KEYS, key), before.size if before else 0
    for seq, said in log.announcements(session, CHECKPOINT_KEYS, until=known):
        if not line.announced(said):
            yield WitnessedHead(seq, "", "checkpoint", "succession")
            return
        line.takes_over()
    said_since = log.announcements(session, CHECKPOINT_KEYS, after=known)
    yield from checkpoints.witnessed_heads(series, log.CHAIN, line, before, said_since)


def _keys(desk: Desk, key: Ed25519PublicKey) -> dict[str, Ed25519PublicKey]:
    """Every key that ever signed in turn, by its fingerprint."""
    line, found = KeySuccession(CHECKPOINT_KEYS, key), {fingerprint(key): key}
    with desk.database.reading() as session:
        for _, said in log.announcements(session, CHECKPOINT_KEYS):
            if line.announced(said):
                line.takes_over()
            if line.key is not None:
                found[fingerprint(line.key)] = line.key
    return found


def _remembered_heads(
    memory: VerifierState | None, key: Ed25519PublicKey | None, start: int
) -> Iterator[WitnessedHead]:
    """What the memory says, of the entries, the key and the last checkpoint."""
    if memory is None:
        return
    if memory.key and (key is None or fingerprint(key) != memory.key):
        yield WitnessedHead(memory.checkpoint, memory.head, "memory", "key")
    if memory.size > start:
        yield WitnessedHead(memory.size, memory.head, "memory")


def _check_outputs(
    session: Session,
    verdict: ChainVerdict,
    settlement: IntentResultChecker,
    seals: DecisionSignatureChecker,
) -> ChainVerdict:
    if seals.broken is not None:
        bad, fault = seals.broken
        return replace(verdict, bad=bad, fault=fault)
    if settlement.orphan is not None:
        return replace(verdict, bad=settlement.orphan, fault="orphan")
    altered = output_check.first_altered(session)
    if altered is not None:
        return replace(verdict, bad=altered, fault="evidence")
    return verdict


def _compare(
    desk: Desk,
    key: Ed25519PublicKey,
    copy: CheckpointCopy,
    length: int,
    verdict: ChainVerdict,
    start: int,
) -> tuple[ChainVerdict | None, int]:
    """The first line of a copy that the database contradicts, or the other way round; and how
    many entries its last line covers."""
    place, size = str(copy.path), start
    try:
        lines = copy.read(length, after=start) if length else iter(())
        while batch := list(islice(lines, _BATCH)):
            found = _find_difference(desk, key, batch, size, place, verdict)
            if found is not None:
                return found, size
            size = batch[-1].size
    except (OSError, ValueError):
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=size), size
    return None, size


def _find_difference(
    desk: Desk,
    key: Ed25519PublicKey,
    batch: list[Checkpoint],
    after: int,
    place: str,
    verdict: ChainVerdict,
) -> ChainVerdict | None:
    sizes = [c.size for c in batch]
    if any(a >= b for a, b in pairwise([after, *sizes])):
        raise ValueError("the lines are not in order")
    with desk.database.reading() as session:
        ours = {c.size: c for c in log.checkpoints(session, after, sizes[-1])}
    for theirs in batch:
        if ours.pop(theirs.size, None) != theirs:
            return _resolve_difference(desk, key, theirs, place, verdict)
    if ours:
        # The database has what the copy lost: lines are gone from the copy.
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=min(ours))
    return None


def _resolve_difference(
    desk: Desk, key: Ed25519PublicKey, theirs: Checkpoint, place: str, verdict: ChainVerdict
) -> ChainVerdict:
    """Which is wrong where a copy and the database differ: what the key signed is right."""
    wrong = checkpoints.find_fault(theirs, None, log.CHAIN, _keys(desk, key).get(theirs.key))
    if wrong in {"chain", "key", "signature"}:
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=theirs.size)
    with desk.database.reading() as session:
        link = log.entry_at(session, theirs.size)
    if link is None:
        return replace(verdict, bad=verdict.size + 1, fault="tail", witness=place)
    if link.current_hash != theirs.head:
        return replace(verdict, bad=theirs.size, fault="rewritten", witness=place)
    return replace(verdict, fault="missing", witness=place, checkpoint=theirs.size)


def _save_state(
    places: WitnessFiles,
    key: Ed25519PublicKey | None,
    verdict: ChainVerdict,
    last: Checkpoint | None,
) -> None:
    seen = VerifierState(
        verdict.size,
        verdict.head,
        fingerprint(key) if key else "",
        last.size if last else 0,
        last.identity() if last else "",
    )
    save_verifier_state(places.memory, seen)
