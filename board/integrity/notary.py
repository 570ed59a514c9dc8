"""Sign checkpoints of the audit log and copy them out of the database.

Due every minute of activity, every 1,000 entries, and before each privileged action. Only a state
that follows from the previous checkpoint is signed: a rewritten log is found here first.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
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
from guardia.board.core.outbox import send
from guardia.board.integrity.witnesses import CheckpointCopy
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Misconfigured, Refused, Stale
from guardia.i18n import t
from guardia.org.credential_store import FileCredentialStore

log = logging.getLogger(__name__)

_TICK = timedelta(microseconds=1)
_ATTEMPTS = 8
_COPY_TIMEOUT = 5.0
"""Seconds to wait for a copy before work continues without it."""
_BATCH = 2000
NEXT_SUFFIX = ".next"
"""Suffix of the name of the successor's key until it becomes the current one."""


class Notary:
    """Holds the key of the checkpoints; one per process that acts."""

    def __init__(self, witness_files: WitnessFiles) -> None:
        self.witness_files = witness_files
        self._lock = threading.Lock()
        self._updaters = [
            _CopyUpdater(f, create=f == witness_files.copies[0]) for f in witness_files.copies
        ]
        self._last_reported: str | None = None

    def sign(self, board: BoardContext) -> Checkpoint | None:
        """Sign the audit log if it has grown; returns the newest checkpoint.

        Raises `Refused` if the log does not follow from the previous checkpoint, and
        `Misconfigured` if this host does not have the key that signed it; each sends one alert.
        """
        try:
            newest = self._sign_latest(board)
        except (Refused, Misconfigured) as error:
            self._alert_once(board, str(error))
            raise
        except OSError as error:
            self._alert_once(board, error.strerror or type(error).__name__)
            raise
        self._last_reported = None
        self._update_copies(board)
        return newest

    def root_key(self) -> Ed25519PublicKey | None:
        """Return the first key, root of the succession, or `None` before any exists."""
        try:
            return checkpoints.load_public_key(self.witness_files.public.read_text("ascii"))
        except FileNotFoundError:
            return None
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
            succession = self._succession(session, last)
        return self._key(last, succession)

    def _sign_latest(self, board: BoardContext) -> Checkpoint | None:
        wanted: int | None = None
        for _ in range(_ATTEMPTS):
            with board.database.reading() as session:
                last, end = audit_log.last_checkpoint(session), audit_log.head(session)
                if end == CHAIN_START or (last and (last.size, last.head) == (end.size, end.head)):
                    return last
                if last and wanted is not None and wanted <= last.size < end.size:
                    return last  # another host has signed everything up to the requested size
                wanted = wanted or end.size
                start = ChainPosition(last.size, last.head) if last else CHAIN_START
                verdict = verify(
                    audit_log.entries(session, after=start.size),
                    size=end.size,
                    head=end.head,
                    start=start,
                )
                succession = self._succession(session, last)
                announcements = audit_log.announcements(session, CHECKPOINT_KEYS, start.size)
            if not verdict.intact:
                raise _refusal(verdict)
            key = self._key(last, succession)
            if (forged := _first_forged(key, announcements)) is not None:
                raise _refusal(replace(verdict, bad=forged, fault="succession"))
            signed = _sign(board, last, end, key)
            with board.database.transaction() as session:
                if audit_log.add_checkpoint(session, signed):
                    return signed
        raise Stale(what=audit_log.CHAIN)

    def _succession(self, session: Session, last: Checkpoint | None) -> KeySuccession:
        """Return the key succession up to `last`; without a key if no other was announced."""
        announcements = (
            audit_log.announcements(session, CHECKPOINT_KEYS, until=last.size) if last else []
        )
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
        given = (
            keys.get(path.name) if last else keys.get_or_create(path.name, checkpoints.generate_key)
        )
        wanted = fingerprint(succession.key) if succession.key else last.key if last else None
        key = _load_key(path, given)
        if wanted is not None and fingerprint(key.public_key()) != wanted:
            key = self._successor(keys, wanted)
        if succession.key is None:
            self._publish(key.public_key())
        return key

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
        """Write the first key to a file, from which a verifier can follow to the current one."""
        path, pem = self.witness_files.public, checkpoints.public_pem(key)
        if not path.is_file():
            fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
            fresh.write_text(pem, "ascii")
            fresh.chmod(0o644)
            fresh.replace(path)

    def _alert_once(self, board: BoardContext, why: str) -> None:
        with self._lock:
            first, self._last_reported = self._last_reported != why, why
        if first:
            log.error("checkpoint: %s", why)
            with board.database.transaction() as session:
                text = t("audit.not_signed", why=why)
                send(session, "alert", text, board.clock(), sr_id=None)

    def _update_copies(self, board: BoardContext) -> None:
        """Update every copy. Each new failure is reported once and does not stop work."""
        for updater in self._updaters:
            why = updater.update(board)
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


def _load_key(path: Path, given: str) -> Ed25519PrivateKey:
    try:
        return checkpoints.load_private_key(given)
    except ValueError as error:
        raise Misconfigured(what=str(path), why=t("audit.bad_key")) from error


class _CopyUpdater:
    """Keeps one copy up to date in a thread, because a dead network mount hangs forever."""

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        self._create = create
        self._copy = CheckpointCopy(folder)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._why: str | None = None
        self._last_reported: str | None = None

    def update(self, board: BoardContext) -> str | None:
        """Update the copy. Returns the problem if it is new, or `None`."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, args=(board,), daemon=True)
                self._thread.start()
            slow = t("audit.copy_slow")
            # Once the place is known to hang, it is not waited for again.
            self._thread.join(0 if self._last_reported == slow else _COPY_TIMEOUT)
            why = slow if self._thread.is_alive() else self._why
            new, self._last_reported = why != self._last_reported, why
            return why if new else None

    def _run(self, board: BoardContext) -> None:
        self._why = None
        try:
            if self._create:
                self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._copy.extend(lambda last: _batches_after(board, last))
        except OSError as error:
            self._why = error.strerror or type(error).__name__
        except ValueError:
            self._why = t("audit.copy_damaged")
        except Refused as error:
            self._why = str(error)
        except OUTAGE_ERRORS as error:
            # Nothing is wrong with the copy, and the next update catches up.
            log.warning("checkpoint copy %s: no database: %s", self.folder, type(error).__name__)
        except Exception as error:
            log.exception("checkpoint copy %s", self.folder)
            self._why = type(error).__name__


def _batches_after(board: BoardContext, last: Checkpoint | None) -> Iterator[list[Checkpoint]]:
    """Yield what was signed after `last`, in batches. Raises `Refused` if the database lacks
    `last`.
    """
    if last is not None:
        with board.database.reading() as session:
            stored = next(audit_log.checkpoints(session, last.size - 1, last.size), None)
        if stored != last:
            raise Refused(why=t("audit.copy_differs", size=last.size))
    size = last.size if last else 0
    while True:
        with board.database.reading() as session:
            batch = list(islice(audit_log.checkpoints(session, size), _BATCH))
        if not batch:
            return
        yield batch
        size = batch[-1].size
