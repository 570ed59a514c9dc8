"""Acknowledge that witnesses of the audit log are lost, so that work can continue.

A disk is replaced, a database is restored from a backup: what this host remembers then contradicts
what there is, and nothing is signed any more. An operator who knows why says so. The old files are
kept beside the new ones as evidence, the reason is an entry of the audit log, and people are
alerted. A fault inside the log itself cannot be acknowledged: restore the database instead.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from guardia.board.audit import log
from guardia.board.audit.chain import ORIGIN, ChainVerdict
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import send
from guardia.board.core.reasons import require_reason
from guardia.board.integrity import verification
from guardia.board.integrity.lost_witnesses import is_of_witness
from guardia.board.integrity.notary import Notary
from guardia.board.integrity.witnesses import CheckpointCopy
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Misconfigured, Refused
from guardia.i18n import t, t_default
from guardia.text import MAX_REASON, trim

_BACKUP = frozenset({"tail", "rewritten"})
"""Faults of a database that was restored from a backup, if only a file contradicts it."""


@repeat_on_conflict
def acknowledge_loss(board: BoardContext, by: Actor, reason: str) -> list[Path]:
    """Log the loss that the verification finds, and begin the witnesses of this host again.

    Returns the files that were moved aside. Raises `Invalid` if nothing is lost, and `Refused` if
    the log itself is not intact.
    """
    text = trim(reason, MAX_REASON)
    require_reason(text)
    found = _find_loss(board)
    if found.intact:
        raise Invalid(what="acknowledge", why=t("audit.nothing_lost"))
    if not is_loss(found):
        raise Refused(why=t("audit.not_a_loss", fault=t(f"audit.fault.{found.fault}")))
    now, files = board.clock(), board.notary.witness_files
    moved = _move_aside(files, now)
    fault, place = t_default(f"audit.fault.{found.fault}"), found.witness or ""
    with board.database.transaction() as session:
        message = t_default("audit.witness_lost", place=place, fault=fault, reason=text)
        send(session, "alert", message, now, sr_id=None, notice=NoticeKind.AUDIT_BROKEN)
        log.append(
            session,
            EntryKind.WITNESS_LOST,
            actor=str(by),
            now=now,
            detail={
                "fault": found.fault,
                "witness": found.witness,
                "bad": found.bad,
                "checkpoint": found.checkpoint,
                "reason": text,
                "kept": [str(path) for path in moved],
            },
            place=place,
            fault=fault,
            reason=text,
        )
    Notary(files).begin_again(board)
    verification.verify_log(board)
    return moved


def is_loss(found: ChainVerdict) -> bool:
    """Return whether a fault is that of a witness, or of a database restored from a backup."""
    in_file = found.witness is not None and found.witness != "checkpoint"
    return is_of_witness(found) or (found.fault in _BACKUP and in_file)


def _find_loss(board: BoardContext) -> ChainVerdict:
    try:
        return verification.verify_log(board).verdict
    except Misconfigured as error:
        # A damaged file; what it should have said is lost.
        return ChainVerdict(0, ORIGIN, fault="memory_damaged", witness=str(error))


def _move_aside(files: WitnessFiles, now: datetime) -> list[Path]:
    """Rename every witness of this host; returns the new names."""
    copies = [CheckpointCopy(folder).path for folder in files.copies]
    moved = []
    for path in (*copies, files.verifier_state, files.memory, files.finding):
        if path.exists():
            kept = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}")
            path.rename(kept)
            moved.append(kept)
    return moved
