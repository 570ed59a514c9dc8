"""Sign checkpoints of the audit log and copy them out of the database.

Due every minute of activity, every 1,000 entries, and before each privileged action. Only a state
that follows from the previous checkpoint is signed: a rewritten log is found here first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.orm import Session

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log as audit_log
from guardia.board.audit.chain import CHAIN_START, ORIGIN, ChainPosition, ChainVerdict, verify
from guardia.board.audit.checkpoint import Checkpoint, fingerprint
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing_keys import CHECKPOINT_KEYS, KeySuccession
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.outbox import send
from guardia.board.integrity import witness_memory
from guardia.board.integrity.copy_updater import CopyUpdater
from guardia.board.integrity.file_cache import FileCache
from guardia.board.integrity.lost_witnesses import (
    WitnessFault,
    find_lost_memory,
    find_missing_checkpoint,
)
from guardia.board.integrity.witness_memory import CopyEnd, WitnessMemory
from guardia.db.private_files import replace_file
from guardia.errors import Misconfigured, Refused, Stale
from guardia.i18n import t
from guardia.org.credential_store import FileCredentialStore

log = logging.getLogger(__name__)

_TICK = timedelta(microseconds=1)
_ATTEMPTS = 8
NEXT_SUFFIX = ".next"
"""Suffix of the name of the successor's key until it becomes the current one."""


class Notary:
    """Holds the key of the checkpoints; one per process that acts."""

    def __init__(self, witness_files: WitnessFiles) -> None:
        self.witness_files = witness_files
        self._lock = threading.Lock()
        self._updaters = [
            CopyUpdater(f, own=f == witness_files.copies[0]) for f in witness_files.copies
        ]
        self._memory = FileCache(witness_memory.load_memory)
        self._verifier_state = FileCache(witness_memory.load_verifier_state)
        self._last_reported: str | None = None
        self._root = FileCache(lambda path: checkpoints.load_public_key(path.read_text("ascii")))
        self._own = FileCache(_read_key)

    def sign(self, board: BoardContext) -> Checkpoint | None:
        """Sign the audit log if it has grown; returns the newest checkpoint.

        Raises `Refused` if the log does not follow from the previous checkpoint, if a witness is
        not as it was left, or if the last verification found a fault, and `Misconfigured` if this
        host does not have the key that signed it or a file is damaged; each sends one alert.
        """
        try:
            memory = self._require_witnesses()
            newest = self._sign_latest(board, memory)
        except (Refused, Misconfigured) as error:
            self._alert_once(board, str(error))
            raise
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._alert_once(board, why)
            raise Misconfigured(what=str(error.filename), why=why) from error
        self._last_reported = None
        self._keep(board, newest)
        return newest

    def begin_again(self, board: BoardContext) -> Checkpoint | None:
        """Sign although earlier checkpoints are lost: people have acknowledged that."""
        newest = self._sign_latest(board, None, acknowledged=True)
        self._keep(board, newest)
        return newest

    def _require_witnesses(self) -> WitnessMemory | None:
        """Return what this host knows of its witnesses. Raises `Refused` if one has changed."""
        files = self.witness_files
        if files.finding.exists():
            raise Refused(why=t("audit.open_finding"))
        memory = self._memory.find(files.memory)
        state = self._verifier_state.find(files.verifier_state)
        if (lost := find_lost_memory(files, memory, state)) is not None:
            raise _lost_witness(lost)
        for updater in self._updaters:
            known = memory.copies.get(str(updater.path)) if memory else None
            if known is not None and (fault := updater.check(known)) is not None:
                raise _lost_witness(WitnessFault(fault, str(updater.path), known.size))
        return memory

    def _keep(self, board: BoardContext, newest: Checkpoint | None) -> None:
        """Copy the newest checkpoint, and remember it and the end of each copy."""
        self._update_copies(board, newest)
        if newest is None:
            return
        ends = {str(u.path): u.end for u in self._updaters if u.end is not None}

        def change(memory: WitnessMemory) -> WitnessMemory:
            copies = {**memory.copies, **{p: _later(memory.copies.get(p), ends[p]) for p in ends}}
            if newest.size < memory.size:
                return replace(memory, copies=copies)
            return replace(memory, size=newest.size, identity=newest.identity(), copies=copies)

        witness_memory.update_memory(self.witness_files, change, self._memory.find)

    def root_key(self) -> Ed25519PublicKey | None:
        """Return the first key, root of the succession, or `None` before any exists."""
        try:
            return self._root.find(self.witness_files.public)
        except (OSError, ValueError) as error:
            why = t("audit.bad_key")
            raise Misconfigured(what=str(self.witness_files.public), why=why) from error

    def key(self, board: BoardContext) -> Ed25519PrivateKey:
        """Return the key for the next checkpoint. Raises `Misconfigured` if this host does not
        have it.

        A successor that has become current replaces the stored key.
        """
        with board.database.reading() as session:
            last = audit_log.last_checkpoint(session)
            announced = (
                audit_log.announcements(session, CHECKPOINT_KEYS, until=last.size) if last else []
            )
        return self._key(last, self._succession(announced))

    def _sign_latest(
        self, board: BoardContext, memory: WitnessMemory | None, *, acknowledged: bool = False
    ) -> Checkpoint | None:
        wanted: int | None = None
        for _ in range(_ATTEMPTS):
            # No transaction: nothing that was read can change, and what is stored must follow the
            # checkpoint that it names.
            with board.database.statements() as session:
                part = audit_log.unsigned_part(session, CHECKPOINT_KEYS)
                end, last = part.end, part.last
                if not acknowledged:
                    self._require_checkpoints(session, last, memory)
                if end == CHAIN_START:
                    return last
                if last and (last.size, last.head) == (end.size, end.head):
                    return last
                if last and wanted is not None and wanted <= last.size < end.size:
                    return last  # another host has signed everything up to the requested size
                wanted = wanted or end.size
                signed = self._signed(session, board, part)
                # Otherwise another host has signed in the meantime.
                added = audit_log.add_checkpoint(session, signed)
            if added:
                if last is None:
                    self._publish(self._own_key(self.witness_files.key).public_key())
                return signed
        raise Stale(what=audit_log.CHAIN)

    def _signed(
        self, session: Session, board: BoardContext, part: audit_log.UnsignedPart
    ) -> Checkpoint:
        """Return the checkpoint of the chain's end. Raises `Refused` if it does not follow."""
        end, last = part.end, part.last
        start = ChainPosition(last.size, last.head) if last else CHAIN_START
        verdict = verify(part.entries(session), size=end.size, head=end.head, start=start)
        if not verdict.intact:
            raise _refusal(verdict)
        announced = (
            audit_log.announcements(session, CHECKPOINT_KEYS, until=end.size)
            if part.announced
            else []
        )
        key = self._key(last, self._succession(a for a in announced if a[0] <= start.size))
        fresh = (a for a in announced if a[0] > start.size)
        if (forged := _first_forged(key, fresh)) is not None:
            raise _refusal(replace(verdict, bad=forged, fault="succession"))
        return _sign(board, last, end, key)

    def _require_checkpoints(
        self, session: Session, last: Checkpoint | None, memory: WitnessMemory | None
    ) -> None:
        """Raise `Refused` if the database lacks a checkpoint that once existed."""
        fault = find_missing_checkpoint(
            session, last, memory, self.witness_files, lambda: self.root_key() is not None
        )
        if fault is not None:
            raise _lost_witness(fault)

    def _succession(self, announced: Iterable[tuple[int, Any]]) -> KeySuccession:
        """Return the key succession by these entries; without a key if there are none."""
        announcements = list(announced)
        succession = KeySuccession(CHECKPOINT_KEYS, self.root_key() if announcements else None)
        for _, one in announcements:
            # The verification reports an invalid announcement; here it is only ignored.
            if succession.accept_successor(one):
                succession.switch_to_successor()
        return succession

    def _key(self, last: Checkpoint | None, succession: KeySuccession) -> Ed25519PrivateKey:
        """Return this host's key; creates it only if nothing was ever signed.

        A second, unannounced key would make a forger's series indistinguishable from the real
        one.
        """
        path = self.witness_files.key
        keys = FileCredentialStore(path.parent)
        if last is None:
            keys.get_or_create(path.name, checkpoints.generate_key)
        wanted = fingerprint(succession.key) if succession.key else last.key if last else None
        key = self._own_key(path)
        if wanted is not None and fingerprint(key.public_key()) != wanted:
            key = self._successor(keys, wanted)
        if last and succession.key is None:
            self._publish(key.public_key())
        return key

    def _own_key(self, path: Path) -> Ed25519PrivateKey:
        """Return the stored key. Decrypted again only if its file has changed."""
        try:
            return self._own.get(path)
        except FileNotFoundError:
            return _read_key(path)  # names what is missing

    def _successor(self, keys: FileCredentialStore, wanted: str) -> Ed25519PrivateKey:
        path = self.witness_files.key
        for given in keys.find(f"{path.name}{NEXT_SUFFIX}"):
            key = _load_key(path, given)
            if fingerprint(key.public_key()) == wanted:
                keys.put(path.name, given)
                keys.remove(f"{path.name}{NEXT_SUFFIX}")
                return key
        raise Misconfigured(what=str(path), why=t("audit.other_key", key=wanted[:16]))

    def _publish(self, key: Ed25519PublicKey) -> None:
        """Write the first key to a file, from which a verifier can follow to the current one.

        Not before the first checkpoint is stored: the file says that there is one.
        """
        path = self.witness_files.public
        if not path.is_file():
            replace_file(path, checkpoints.public_pem(key).encode("ascii"), 0o644)

    def _alert_once(self, board: BoardContext, why: str) -> None:
        with self._lock:
            first, self._last_reported = self._last_reported != why, why
        if first:
            log.error("checkpoint: %s", why)
            with board.database.transaction() as session:
                text = t("audit.not_signed", why=why)
                send(
                    session,
                    "alert",
                    text,
                    board.clock(),
                    sr_id=None,
                    notice=NoticeKind.AUDIT_BROKEN,
                )

    def _update_copies(self, board: BoardContext, newest: Checkpoint | None) -> None:
        """Update every copy. Each new failure is reported once and does not stop work."""
        for updater in self._updaters:
            why = updater.update(board, newest)
            if why is None:
                continue
            log.error("checkpoint copy %s: %s", updater.folder, why)
            now, place = board.clock(), str(updater.folder)
            with board.database.transaction() as session:
                text = t("audit.copy_failed", place=place, why=why)
                send(session, "alert", text, now, sr_id=None)
                audit_log.append(
                    session,
                    EntryKind.COPY_FAILED,
                    actor=str(Actor.system("notary")),
                    now=now,
                    detail={"place": place, "why": why},
                    place=place,
                    why=why,
                )


def _later(known: CopyEnd | None, end: CopyEnd) -> CopyEnd:
    """Return the further of two ends: processes that share a copy may remember out of order."""
    return end if known is None or end.size >= known.size else known


def _lost_witness(found: WitnessFault) -> Refused:
    fault = t(f"audit.fault.{found.fault}")
    return Refused(why=t("audit.lost_witness", place=found.place, fault=fault))


def _refusal(verdict: ChainVerdict) -> Refused:
    return Refused(why=t("audit.unsigned", bad=verdict.bad, fault=verdict.fault))


def _sign(
    board: BoardContext, last: Checkpoint | None, end: ChainPosition, key: Ed25519PrivateKey
) -> Checkpoint:
    now = max(board.clock(), last.time + _TICK) if last else board.clock()
    previous = last.identity() if last else ORIGIN
    return checkpoints.sign(Checkpoint(audit_log.CHAIN, end.size, end.head, now, previous), key)


def _first_forged(key: Ed25519PrivateKey, announcements: Iterable[tuple[int, Any]]) -> int | None:
    """Return the first entry that announces a key and that `key` has not signed, or `None`."""
    succession = KeySuccession(CHECKPOINT_KEYS, key.public_key())
    return next((seq for seq, one in announcements if not succession.accept_successor(one)), None)


def _read_key(path: Path) -> Ed25519PrivateKey:
    return _load_key(path, FileCredentialStore(path.parent).get(path.name))


def _load_key(path: Path, given: str) -> Ed25519PrivateKey:
    try:
        return checkpoints.load_private_key(given)
    except ValueError as error:
        raise Misconfigured(what=str(path), why=t("audit.bad_key")) from error
