"""Verify the audit log: entries, checkpoints, external copies, verifier state, stored outputs.

A verification looks at everything, from the first entry, with intents, results and outputs. A
partial one begins at an entry, says at which, and vouches for nothing before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log
from guardia.board.audit.chain import (
    CHAIN_START,
    AnyEntry,
    ChainEntry,
    ChainPosition,
    ChainVerdict,
    WitnessedHead,
    by_size,
    verify,
)
from guardia.board.audit.checkpoint import Checkpoint, fingerprint
from guardia.board.audit.passkey_signatures import PasskeyChecker
from guardia.board.audit.signing_keys import (
    CHECKPOINT_KEYS,
    DecisionSignatureChecker,
    KeySuccession,
)
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.context import BoardContext
from guardia.board.integrity import output_check, witness_memory
from guardia.board.integrity.lost_witnesses import (
    WitnessFault,
    find_lost_copy,
    find_lost_memory,
    find_missing_checkpoint,
)
from guardia.board.integrity.output_check import IntentResultChecker
from guardia.board.integrity.witness_memory import VerifierState
from guardia.board.integrity.witnesses import CheckpointCopy, find_disorder
from guardia.db.private_files import write_json
from guardia.errors import Invalid
from guardia.i18n import t

_BATCH = 1000
_NOT_OF_THE_CHAIN = frozenset({"seal", "orphan", "evidence", "passkey"})
"""Faults inside an intact chain. They stay for ever and are reported each time; what is signed
later certifies nothing that they falsify, and a forged decision permits nothing anyway."""
_COPY_DELAY = timedelta(minutes=5)
"""Time by which a checkpoint has reached its copies."""


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """Result of one verification."""

    verdict: ChainVerdict
    start: int
    """Number of entries at the beginning that were not looked at; 0 if everything was."""
    unsettled: tuple[int, ...] = ()
    """Intents whose result is overdue. Only a full verification checks them."""
    missing: tuple[str, ...] = ()
    """Copies that are unreachable or lack the newest checkpoints."""

    @property
    def intact(self) -> bool:
        """Return whether no fault was found."""
        return self.verdict.intact

    @property
    def looked_at(self) -> int:
        """Return the number of entries that were verified."""
        return max(0, self.verdict.size - self.start)

    def to_detail(self) -> dict[str, Any]:
        """Return the result as details of an audit entry."""
        v = self.verdict
        return {
            "intact": v.intact,
            "size": v.size,
            "head": v.head,
            "from": self.start,
            "looked_at": self.looked_at,
            "sealed": v.sealed,
            "bad": v.bad,
            "fault": v.fault,
            "witness": v.witness,
            "checkpoint": v.checkpoint,
            "unsettled": list(self.unsettled),
            "missing": list(self.missing),
        }


def verify_log(
    board: BoardContext, *, full: bool = True, since: int | None = None
) -> VerificationResult:
    """Verify the audit log: all of it, or what is new since this host's last verification.

    Saves the verifier state, unless `since` names the entry after which to begin. While the chain
    or a witness has a fault, nothing is signed on this host; a full verification without one ends
    that.
    """
    files = board.notary.witness_files
    found, last = _look(board, full=full, since=since)
    if since is not None:
        return found
    if not found.intact:
        if found.verdict.fault not in _NOT_OF_THE_CHAIN:
            files.finding.parent.mkdir(parents=True, exist_ok=True)
            write_json(files.finding, found.to_detail())
        return found
    _save_state(files, board.notary.root_key(), found.verdict, last)
    if found.start == 0:
        files.finding.unlink(missing_ok=True)
    return found


def _look(
    board: BoardContext, *, full: bool, since: int | None
) -> tuple[VerificationResult, Checkpoint | None]:
    """Compare the database and all witnesses; returns the result and the last checkpoint."""
    files, key = board.notary.witness_files, board.notary.root_key()
    verifier_state = witness_memory.load_verifier_state(files.verifier_state)
    memory = witness_memory.load_memory(files.memory)
    # Copies are measured first: the database may only be ahead of them.
    copies = [(copy, copy.length()) for copy in map(CheckpointCopy, files.copies)]
    found, last = _verify_database(board, key, verifier_state, full=full, since=since)
    start = found.start
    for copy, length in copies:
        if not found.intact or key is None:
            break
        verdict, size = _compare(board, key, copy, length or 0, found.verdict, start)
        found = replace(found, verdict=verdict or found.verdict)
        late = last and size < last.size and board.clock() - last.time > _COPY_DELAY
        if late or (last and length is None):
            found = replace(found, missing=(*found.missing, str(copy.path)))
    if found.intact:
        with board.database.reading() as session:
            lost = find_missing_checkpoint(session, last, memory, files, lambda: key is not None)
        lost = lost or find_lost_copy(files, memory)
        state = witness_memory.load_verifier_state(files.verifier_state)
        lost = lost or find_lost_memory(files, memory, state)
        if lost is not None:
            found = replace(found, verdict=_name_witness(found.verdict, lost))
    return found, last


def _name_witness(verdict: ChainVerdict, found: WitnessFault) -> ChainVerdict:
    return replace(verdict, fault=found.fault, witness=found.place, checkpoint=found.checkpoint)


def _verify_database(
    board: BoardContext,
    key: Ed25519PublicKey | None,
    verifier_state: VerifierState | None,
    *,
    full: bool,
    since: int | None,
) -> tuple[VerificationResult, Checkpoint | None]:
    """Verify what the database holds; the verifier state has been loaded before."""
    result_checker, signature_checker = IntentResultChecker(), DecisionSignatureChecker()
    passkey_checker = PasskeyChecker()
    with board.database.reading() as session:
        log.use_system_functions(session)
        start = _start(session, verifier_state, full=full, since=since)
        links: Iterable[AnyEntry] = log.stored_entries(session, start.size)
        if start is CHAIN_START:
            links = signature_checker.watch(result_checker.watch(passkey_checker.watch(links)))
        end = log.head(session)
        witnessed_heads = heapq.merge(
            _checkpoint_heads(session, key, verifier_state, start.size),
            _remembered_heads(verifier_state, key, start.size),
            key=by_size,
        )
        verdict = verify(
            links, size=end.size, head=end.head, witnessed_heads=witnessed_heads, start=start
        )
        if verdict.fault == "succession":
            # The fault is in the entry that announces a key, not in the checkpoint.
            verdict = replace(verdict, bad=verdict.checkpoint, checkpoint=None)
        if (
            verdict.intact
            and verifier_state is not None
            and not _is_checkpoint_kept(session, verifier_state)
        ):
            verdict = replace(
                verdict, fault="missing", witness="memory", checkpoint=verifier_state.checkpoint
            )
        if verdict.intact and start is CHAIN_START:
            verdict = _check_outputs(
                session, verdict, result_checker, signature_checker, passkey_checker
            )
        last = log.last_checkpoint(session)
    if verdict.intact and last is not None:
        # In a partial look the last checkpoint may cover no entry that was looked at.
        verdict = replace(verdict, sealed=max(verdict.sealed, last.size))
    unsettled = result_checker.unsettled(board.clock())
    return VerificationResult(verdict, start.size, unsettled), last


def _start(
    session: Session, verifier_state: VerifierState | None, *, full: bool, since: int | None
) -> ChainPosition:
    """Return where to begin. Falls back to a full walk if the verifier state no longer matches."""
    if since is not None:
        entry = log.entry_at(session, since) if since else None
        if since and (entry is None or entry.hash() != entry.current_hash):
            raise Invalid(what=f"--since {since}", why=t("audit.no_start"))
        return (
            ChainPosition(entry.seq, entry.current_hash, entry.created_at) if entry else CHAIN_START
        )
    if full or verifier_state is None or verifier_state.size == 0:
        return CHAIN_START
    entry = log.entry_at(session, verifier_state.size)
    if entry is None or not _is_checkpoint_kept(session, verifier_state):
        return CHAIN_START
    if entry.current_hash != verifier_state.head or _hash(entry) != verifier_state.head:
        return CHAIN_START
    return ChainPosition(entry.seq, entry.current_hash, entry.created_at)


def _is_checkpoint_kept(session: Session, verifier_state: VerifierState) -> bool:
    """Return whether the checkpoint seen last is still stored."""
    last = log.last_checkpoint(session, verifier_state.checkpoint)
    known = (last.size, last.identity()) if last else (0, "")
    return known == (verifier_state.checkpoint, verifier_state.identity)


def _hash(entry: ChainEntry) -> str | None:
    try:
        return entry.hash()
    except TypeError:
        return None


def _checkpoint_heads(
    session: Session, key: Ed25519PublicKey | None, verifier_state: VerifierState | None, start: int
) -> Iterator[WitnessedHead]:
    before = log.last_checkpoint(session, start) if start else None
    series = log.checkpoints(session, before.size if before else 0)
    if key is None:
        yield from (WitnessedHead(c.size, c.head, "checkpoint", "key") for c in series)
        return
    succession, known = KeySuccession(CHECKPOINT_KEYS, key), before.size if before else 0
    for seq, detail in log.announcements(session, CHECKPOINT_KEYS, until=known):
        if not succession.accept_successor(detail):
            yield WitnessedHead(seq, "", "checkpoint", "succession")
            return
        succession.switch_to_successor()
    later_announcements = log.announcements(session, CHECKPOINT_KEYS, after=known)
    yield from checkpoints.witnessed_heads(
        series, log.CHAIN, succession, before, later_announcements
    )


def _keys(board: BoardContext, key: Ed25519PublicKey) -> dict[str, Ed25519PublicKey]:
    """Return every key of the succession by its fingerprint."""
    succession, found = KeySuccession(CHECKPOINT_KEYS, key), {fingerprint(key): key}
    with board.database.reading() as session:
        for _, detail in log.announcements(session, CHECKPOINT_KEYS):
            if succession.accept_successor(detail):
                succession.switch_to_successor()
            if succession.key is not None:
                found[fingerprint(succession.key)] = succession.key
    return found


def _remembered_heads(
    verifier_state: VerifierState | None, key: Ed25519PublicKey | None, start: int
) -> Iterator[WitnessedHead]:
    """Yield what the verifier state attests: entries, key and last checkpoint."""
    if verifier_state is None:
        return
    if verifier_state.key and (key is None or fingerprint(key) != verifier_state.key):
        yield WitnessedHead(verifier_state.checkpoint, verifier_state.head, "memory", "key")
    if verifier_state.size > start:
        yield WitnessedHead(verifier_state.size, verifier_state.head, "memory")


def _check_outputs(
    session: Session,
    verdict: ChainVerdict,
    result_checker: IntentResultChecker,
    signature_checker: DecisionSignatureChecker,
    passkey_checker: PasskeyChecker,
) -> ChainVerdict:
    if signature_checker.first_broken is not None:
        bad, fault = signature_checker.first_broken
        return replace(verdict, bad=bad, fault=fault)
    if passkey_checker.first_broken is not None:
        return replace(verdict, bad=passkey_checker.first_broken, fault="passkey")
    if result_checker.orphan is not None:
        return replace(verdict, bad=result_checker.orphan, fault="orphan")
    altered = output_check.first_altered(session)
    if altered is not None:
        return replace(verdict, bad=altered, fault="evidence")
    return verdict


def _compare(
    board: BoardContext,
    key: Ed25519PublicKey,
    copy: CheckpointCopy,
    length: int,
    verdict: ChainVerdict,
    start: int,
) -> tuple[ChainVerdict | None, int]:
    """Compare a copy with the database.

    Returns the first difference, and the number of entries that the copy's last line covers.
    """
    place, size = str(copy.path), start
    try:
        lines = copy.read(length, after=start) if length else iter(())
        while batch := list(islice(lines, _BATCH)):
            found = _find_difference(board, key, batch, size, place, verdict)
            if found is not None:
                return found, size
            size = batch[-1].size
    except (OSError, ValueError):
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=size), size
    return None, size


def _find_difference(
    board: BoardContext,
    key: Ed25519PublicKey,
    batch: list[Checkpoint],
    after: int,
    place: str,
    verdict: ChainVerdict,
) -> ChainVerdict | None:
    sizes = [c.size for c in batch]
    if (fault := find_disorder(sizes, after)) is not None:
        return replace(verdict, fault=fault, witness=place, checkpoint=after)
    with board.database.reading() as session:
        stored = {c.size: c for c in log.checkpoints(session, after, sizes[-1])}
    for theirs in batch:
        if stored.pop(theirs.size, None) != theirs:
            return _resolve_difference(board, key, theirs, place, verdict)
    if stored:
        # The database has checkpoints that the copy lost: lines were removed from the copy.
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=min(stored))
    return None


def _resolve_difference(
    board: BoardContext,
    key: Ed25519PublicKey,
    theirs: Checkpoint,
    place: str,
    verdict: ChainVerdict,
) -> ChainVerdict:
    """Decide whether the copy or the database is wrong: what the key signed is right."""
    wrong = checkpoints.find_fault(theirs, None, log.CHAIN, _keys(board, key).get(theirs.key))
    if wrong in {"chain", "key", "signature"}:
        return replace(verdict, fault="copy_damaged", witness=place, checkpoint=theirs.size)
    with board.database.reading() as session:
        entry = log.entry_at(session, theirs.size)
    if entry is None:
        return replace(verdict, bad=verdict.size + 1, fault="tail", witness=place)
    if entry.current_hash != theirs.head:
        return replace(verdict, bad=theirs.size, fault="rewritten", witness=place)
    return replace(verdict, fault="missing", witness=place, checkpoint=theirs.size)


def _save_state(
    witness_files: WitnessFiles,
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
        witnessed=True,
    )
    witness_memory.save_verifier_state(witness_files, seen)
