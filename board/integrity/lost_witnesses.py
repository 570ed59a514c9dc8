"""Find witnesses that once existed and are gone, emptied, cut, replaced or damaged.

The tables of the database, the copies, the verifier state and this host's memory of them all are
asked what they know of one another: only what none of them knows any more can be lost unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.chain import ChainVerdict
from guardia.board.audit.checkpoint import Checkpoint
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.integrity.witness_memory import CopyEnd, VerifierState, WitnessMemory
from guardia.board.integrity.witnesses import CheckpointCopy


@dataclass(frozen=True, slots=True)
class WitnessFault:
    """A witness that is not as it was left."""

    fault: str
    """`missing`, `memory_lost`, or one of `witnesses.CheckpointCopy.find_fault`."""
    place: str
    checkpoint: int


def is_of_witness(verdict: ChainVerdict) -> bool:
    """Return whether a verdict is about a witness itself, not about the log."""
    fault = verdict.fault or ""
    return verdict.bad is None and (fault.startswith(("memory_", "copy_")) or fault == "missing")


def find_missing_checkpoint(
    session: Session,
    last: Checkpoint | None,
    memory: WitnessMemory | None,
    files: WitnessFiles,
    has_key: Callable[[], bool],
) -> WitnessFault | None:
    """Return what says that the database once held a checkpoint that it lacks, or `None`.

    The memory of this host; the public key, which is written after the first checkpoint; entries
    of the log that only exist after a checkpoint.
    """
    if memory is not None and memory.size:
        is_last = last is not None and last.size == memory.size
        kept = last if is_last else log.last_checkpoint(session, memory.size)
        if kept is None or (kept.size, kept.identity()) != (memory.size, memory.identity):
            return WitnessFault("missing", str(files.memory), memory.size)
    if last is None and has_key():
        return WitnessFault("missing", str(files.public), 0)
    if last is None and log.presupposes_checkpoint(session):
        return WitnessFault("missing", "tb_audit_log", 0)
    return None


def find_lost_memory(
    files: WitnessFiles, memory: WitnessMemory | None, state: VerifierState | None
) -> WitnessFault | None:
    """Return which of verifier state and memory is gone although the other one has known it."""
    if state is None and memory is not None and memory.verified:
        return WitnessFault("memory_lost", str(files.verifier_state), memory.size)
    if memory is None and state is not None and state.witnessed:
        return WitnessFault("memory_lost", str(files.memory), state.checkpoint)
    return None


def find_lost_copy(files: WitnessFiles, memory: WitnessMemory | None) -> WitnessFault | None:
    """Return the first copy that is not as it was left, or `None`."""
    for copy in map(CheckpointCopy, files.copies):
        known = memory.copies.get(str(copy.path)) if memory else None
        if known is not None and (fault := _copy_fault(copy, known)) is not None:
            return WitnessFault(fault, str(copy.path), known.size)
    return None


def _copy_fault(copy: CheckpointCopy, known: CopyEnd) -> str | None:
    try:
        return copy.find_fault(known)
    except OSError:
        return None  # a place that does not answer is reported as missing
