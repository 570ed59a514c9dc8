"""Devices on which a person has signed in before, each by a secret in a cookie.

Such a device has an allowance of its own for failed attempts, so strangers who try an account's
password cannot keep its owner out. It gives no other right. Only a hash of the secret is stored.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from guardia.org.model import KnownDevice

LIFETIME = timedelta(days=180)
"""Time since the last sign-in after which a device is a stranger's again."""
_MOST = 20
"""Devices of one person; the one that was used least recently is forgotten."""


def is_known(session: Session, person_id: str, secret: str, now: datetime) -> bool:
    """Return whether the person has signed in with this device lately."""
    if not secret:
        return False
    row = session.get(KnownDevice, hash_of(secret))
    return row is not None and row.person_id == person_id and row.used_at > now - LIFETIME


def remember(session: Session, person_id: str, secret: str, now: datetime) -> str:
    """Note a sign-in; returns the device's secret, a new one if the given one is not known."""
    if is_known(session, person_id, secret, now):
        same = KnownDevice.device_hash == hash_of(secret)
        session.execute(update(KnownDevice).where(same).values(used_at=now))
        return secret
    made = secrets.token_urlsafe(32)
    session.add(
        KnownDevice(device_hash=hash_of(made), person_id=person_id, created_at=now, used_at=now)
    )
    session.flush()
    latest = (
        select(KnownDevice.device_hash)
        .where(KnownDevice.person_id == person_id, KnownDevice.used_at > now - LIFETIME)
        .order_by(KnownDevice.used_at.desc())
        .limit(_MOST)
    )
    others = KnownDevice.person_id == person_id, KnownDevice.device_hash.not_in(latest)
    session.execute(delete(KnownDevice).where(*others))
    return made


def forget_all(session: Session, person_id: str) -> None:
    """Forget every device of a person."""
    session.execute(delete(KnownDevice).where(KnownDevice.person_id == person_id))


def hash_of(secret: str) -> str:
    """Return what is stored of a device's secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
