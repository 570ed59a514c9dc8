"""Rotate signing keys: the old key announces the new one in the audit log.

Each step can be repeated, so a crash or a second request still ends with one new key that all
processes use. The successor is stored before the audit log mentions it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log, signing, signing_keys
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.signing_keys import CHECKPOINT_KEYS, DECISION_KEYS
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.integrity.notary import NEXT_SUFFIX
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t, t_default
from guardia.org.credential_store import FileCredentialStore


def rotate_checkpoint_key(board: BoardContext, by: Actor) -> str:
    """Replace the key of the checkpoints; returns the new one (hex).

    Raises `Refused` if the audit log is not intact: a new key would only certify the fault.
    """
    notary = board.notary
    if notary.sign(board) is None:
        raise Invalid(what=t("audit.use.record"), why=t("audit.empty"))
    path = notary.witness_files.key
    keys = FileCredentialStore(path.parent)
    present = notary.key(board)
    successor = checkpoints.load_private_key(
        keys.get_or_create(f"{path.name}{NEXT_SUFFIX}", checkpoints.generate_key)
    )
    _announce(board, by, CHECKPOINT_KEYS, present, successor)
    # The old key signs a checkpoint over its own successor; from then on this host uses the new
    # one.
    notary.sign(board)
    return _log_rotation(board, by, CHECKPOINT_KEYS, notary.key(board))


def rotate_decision_key(board: BoardContext, by: Actor, keys: FileCredentialStore) -> str:
    """Replace the key that signs people's decisions; returns the new one (hex)."""
    successor = signing.parse_key(keys.get_or_create(signing.NEXT_KEY_NAME, signing.generate_key))
    with board.database.reading() as session:
        announced = log.announced_key(session, DECISION_KEYS)
    if announced != signing_keys.public_hex(successor.public_key()):
        _announce(board, by, DECISION_KEYS, board.decision_signer.key(announced), successor)
    keys.put(signing.KEY_NAME, keys.get(signing.NEXT_KEY_NAME))
    keys.remove(signing.NEXT_KEY_NAME)
    return _log_rotation(board, by, DECISION_KEYS, successor)


@repeat_on_conflict
def log_store_rotation(board: BoardContext, by: Actor, store: str, count: int, source: str) -> None:
    """Log that a credential store's master key was replaced."""
    with board.database.transaction() as session:
        log.append(
            session,
            EntryKind.KEY_ROTATED,
            actor=str(by),
            now=board.clock(),
            detail={"use": "store", "store": store, "credentials": count, "source": source},
            use=t_default("audit.use.store"),
        )


@repeat_on_conflict
def _announce(
    board: BoardContext,
    by: Actor,
    use: str,
    present: Ed25519PrivateKey,
    successor: Ed25519PrivateKey,
) -> None:
    public = signing_keys.public_hex(successor.public_key())
    with board.database.transaction() as session:
        # The lock blocks every append until this ends, so no other process announces a key in
        # between.
        log.lock_head(session)
        if public in {
            log.announced_key(session, use),
            signing_keys.public_hex(present.public_key()),
        }:
            return
        log.append(
            session,
            signing_keys.SUCCESSION_KIND,
            actor=str(by),
            now=board.clock(),
            detail=dict(signing_keys.build_announcement(use, present, successor.public_key())),
            use=t_default(f"audit.use.{use}"),
            key=public[:16],
        )


@repeat_on_conflict
def _log_rotation(board: BoardContext, by: Actor, use: str, key: Ed25519PrivateKey) -> str:
    public = signing_keys.public_hex(key.public_key())
    with board.database.transaction() as session:
        log.append(
            session,
            EntryKind.KEY_ROTATED,
            actor=str(by),
            now=board.clock(),
            detail={"use": use, "public": public},
            use=t_default(f"audit.use.{use}"),
        )
    # The new key signs at once, so that trusting it alone is enough to verify everything before.
    board.notary.sign(board)
    return public
