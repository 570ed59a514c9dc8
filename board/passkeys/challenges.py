"""Challenges in the database: issue one, and use it once before it expires.

Their time is that of the database, so hosts need not agree on theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from guardia.board.audit.passkey_signatures import decode
from guardia.board.passkeys.model import PasskeyChallenge
from guardia.errors import PasskeyRejected, Throttled
from guardia.i18n import t

Purpose = Literal["register", "decide"]
MAX_OPEN = 20
"""How many challenges of one person may be open at once."""
_KEPT = timedelta(days=1)
"""How long an old challenge is kept, to say that it was used or has expired."""


def database_time(session: Session) -> datetime:
    """Return the present time of the database."""
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def store(
    session: Session,
    challenge: str,
    purpose: Purpose,
    person_id: str,
    expires_at: datetime,
    content: Mapping[str, Any],
) -> None:
    """Store a challenge that one person may answer once, and delete those of days before.

    Raises `Throttled` if the person has too many open ones.
    """
    pending = select(func.count()).where(
        PasskeyChallenge.person_id == person_id,
        PasskeyChallenge.used_at.is_(None),
        PasskeyChallenge.expires_at > func.clock_timestamp(),
    )
    if (session.scalar(pending) or 0) >= MAX_OPEN:
        raise Throttled()
    old = PasskeyChallenge.expires_at < func.clock_timestamp() - _KEPT
    session.execute(delete(PasskeyChallenge).where(old))
    session.add(
        PasskeyChallenge(
            challenge=challenge,
            person_id=person_id,
            purpose=purpose,
            content=dict(content),
            expires_at=expires_at,
        )
    )


def use(session: Session, challenge: str, purpose: Purpose, person_id: str) -> dict[str, Any]:
    """Use up a challenge and return its content; of two concurrent callers, one succeeds.

    Raises `PasskeyRejected` if it is unknown, another person's, used or expired.
    """
    own = (
        PasskeyChallenge.challenge == challenge,
        PasskeyChallenge.person_id == person_id,
        PasskeyChallenge.purpose == purpose,
    )
    found = session.scalar(
        update(PasskeyChallenge)
        .where(
            *own,
            PasskeyChallenge.used_at.is_(None),
            PasskeyChallenge.expires_at > func.clock_timestamp(),
        )
        .values(used_at=func.clock_timestamp())
        .returning(PasskeyChallenge.content)
        .execution_options(synchronize_session=False)
    )
    if found is not None:
        return dict(found)
    used = session.execute(select(PasskeyChallenge.used_at).where(*own)).first()
    if used is None:
        raise PasskeyRejected(why=t("passkeys.why.unknown"))
    raise PasskeyRejected(why=t("passkeys.why.used" if used[0] else "passkeys.why.expired"))


def challenge_in(response: Mapping[str, Any]) -> str:
    """Return the challenge that a device's answer names. Raises `PasskeyRejected` if there is none.

    What is read here selects the stored challenge only; the signature is checked later.
    """
    try:
        found = json.loads(decode(response["response"]["clientDataJSON"]))["challenge"]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise PasskeyRejected(why=t("passkeys.why.malformed")) from None
    if not isinstance(found, str):
        raise PasskeyRejected(why=t("passkeys.why.malformed"))
    return found
