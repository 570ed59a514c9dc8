"""Replacing the keys that sign: the old one announces the new one in the record.

Each step can be repeated, so that whoever dies meanwhile, or is asked twice, ends with one new key
that everybody follows. The successor lies in the store before the record says a word of it.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guardia.board.audit import checkpoint as checkpoints
from guardia.board.audit import log, signing, signing_keys
from guardia.board.audit.signing_keys import DECISIONS, RECORD
from guardia.board.core.context import Desk
from guardia.board.integrity.notary import NEXT, notary_of
from guardia.errors import Invalid
from guardia.i18n import t, t_record
from guardia.org.keys import FileKeys


def rotate_record(desk: Desk, by: str) -> str:
    """Replace the key of the checkpoints; returns the new one (hex).

    ``Refused`` where the record does not hold: a new key would only seal the doubt.
    """
    notary = notary_of(desk)
    if notary.seal(desk) is None:
        raise Invalid(what=t("audit.use.record"), why=t("audit.empty"))
    path = notary.places.key
    keys = FileKeys(path.parent)
    present = notary.key(desk)
    heir = checkpoints.private_key(keys.obtain(f"{path.name}{NEXT}", checkpoints.generate))
    _announce(desk, by, RECORD, present, heir)
    # The old key seals its own successor; from then on this host uses the new one.
    notary.seal(desk)
    return _done(desk, by, RECORD, notary.key(desk))


def rotate_decisions(desk: Desk, by: str, keys: FileKeys) -> str:
    """Replace the key that seals people's decisions; returns the new one (hex)."""
    heir = signing.key_of(keys.obtain(signing.NEXT, signing.generate))
    with desk.database.reading() as session:
        announced = log.announced_key(session, DECISIONS)
    if announced != signing_keys.raw(heir.public_key()):
        _announce(desk, by, DECISIONS, desk.seal.key(announced), heir)
    keys.put(signing.NAME, keys.get(signing.NEXT))
    keys.remove(signing.NEXT)
    return _done(desk, by, DECISIONS, heir)


def record_store(desk: Desk, by: str, store: str, count: int, source: str) -> None:
    """Put on record that a store's master key was replaced."""
    with desk.database.transaction() as session:
        log.append(
            session,
            "key_rotated",
            actor=by,
            now=desk.clock(),
            detail={"use": "store", "store": store, "credentials": count, "source": source},
            use=t_record("audit.use.store"),
        )


def _announce(
    desk: Desk, by: str, use: str, present: Ed25519PrivateKey, heir: Ed25519PrivateKey
) -> None:
    public = signing_keys.raw(heir.public_key())
    with desk.database.transaction() as session:
        # Nobody appends until this ends, so nobody else announces a key meanwhile.
        log.head_held(session)
        if public in {log.announced_key(session, use), signing_keys.raw(present.public_key())}:
            return
        log.append(
            session,
            signing_keys.KIND,
            actor=by,
            now=desk.clock(),
            detail=dict(signing_keys.announcement(use, present, heir.public_key())),
            use=t_record(f"audit.use.{use}"),
            key=public[:16],
        )


def _done(desk: Desk, by: str, use: str, key: Ed25519PrivateKey) -> str:
    public = signing_keys.raw(key.public_key())
    with desk.database.transaction() as session:
        log.append(
            session,
            "key_rotated",
            actor=by,
            now=desk.clock(),
            detail={"use": use, "public": public},
            use=t_record(f"audit.use.{use}"),
        )
    # The new key signs something at once: whoever trusts it alone can then verify all before.
    notary_of(desk).seal(desk)
    return public
