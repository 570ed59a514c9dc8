"""Sign a decision with a passkey: issue the challenge, and verify the device's answer.

`accept` uses up the challenge before anything else is decided: an answer counts once, also if the
decision is refused.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import webauthn
from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn.helpers import options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

from guardia.board.audit import log
from guardia.board.audit.canonical import to_microseconds
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.passkey_signatures import (
    HEAD_WINDOW,
    challenge_of,
    decode,
    encode,
    is_assertion_valid,
)
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.outbox import send
from guardia.board.passkeys import challenges, credentials, public_keys
from guardia.board.passkeys.model import Passkey
from guardia.board.passkeys.relying_party import RelyingParty
from guardia.db.engine import repeat_on_conflict
from guardia.errors import PasskeyMissing, PasskeyRejected
from guardia.i18n import t, t_default
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_ACTOR = Actor.system("passkeys")
_SECURITY_ROLE = "security_officer"


@dataclass(frozen=True, slots=True)
class DecisionSubject:
    """What a person decides: one verdict on one plan."""

    issue: int
    task: int
    plan_hash: str
    verdict: str


@dataclass(frozen=True, slots=True)
class PasskeySignature:
    """A verified answer of a device, as the entry of the decision holds it."""

    subject: DecisionSubject
    person_id: str
    passkey_id: int
    challenge: str
    detail: dict[str, Any]


@repeat_on_conflict
def begin(
    board: BoardContext, rp: RelyingParty, person: PersonInfo, subject: DecisionSubject
) -> dict[str, Any]:
    """Issue a challenge for one decision; return the options for `navigator.credentials`.

    Raises `PasskeyMissing` if the person has registered none.
    """
    with board.database.transaction() as session:
        own = credentials.active_passkeys(session, person.id, rp.rp_id)
        if not own:
            raise PasskeyMissing()
        expires_at = challenges.database_time(session) + rp.lifetime
        content = _content(session, person, subject, expires_at)
        challenge = challenge_of(content)
        challenges.store(session, encode(challenge), "decide", person.id, expires_at, content)
        allowed = [PublicKeyCredentialDescriptor(id=decode(k.credential)) for k in own]
    options = webauthn.generate_authentication_options(
        rp_id=rp.rp_id,
        challenge=challenge,
        timeout=int(rp.lifetime.total_seconds() * 1000),
        allow_credentials=allowed,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


def _content(
    session: Session, person: PersonInfo, subject: DecisionSubject, expires_at: datetime
) -> dict[str, Any]:
    return {
        **asdict(subject),
        "person": person.id,
        "head": log.head(session).head,
        "expiry": to_microseconds(expires_at),
        "nonce": secrets.token_hex(16),
    }


@repeat_on_conflict
def accept(
    board: BoardContext,
    rp: RelyingParty,
    person: PersonInfo,
    subject: DecisionSubject,
    response: Mapping[str, Any],
) -> PasskeySignature:
    """Use up the challenge that a device answered, and verify the answer for this decision.

    Raises `PasskeyRejected` with the reason. A counter that went back ends the passkey, because
    another device may hold a copy of it: an alert names the security officers.
    """
    challenge = challenges.challenge_in(response)
    with board.database.transaction() as session:
        content = challenges.use(session, challenge, "decide", person.id)
    with board.database.transaction() as session:
        _require_subject(session, content, person, subject)
        row = _own_passkey(session, rp, person, response)
        count = _verified_count(rp, row, challenge, response)
        detail = _detail(row, content, response)
        # Devices without a counter always send 0.
        cloned = (count or row.sign_count) and count <= row.sign_count
        if cloned:
            _end_cloned(session, board, person, row, count)
        else:
            row.sign_count, row.last_used_at = count, board.clock()
        passkey_id = row.passkey_id
    if cloned:
        raise PasskeyRejected(why=t("passkeys.why.cloned"))
    return PasskeySignature(subject, person.id, passkey_id, challenge, detail)


def _detail(row: Passkey, content: dict[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as the entry holds it.

    Raises `PasskeyRejected` if a reader of the log would not accept it, for example because the
    page was inside another one: what the library accepts is not enough.
    """
    answer = response["response"]
    detail = {
        "credential": row.credential,
        "content": content,
        "authenticator_data": answer["authenticatorData"],
        "client_data": answer["clientDataJSON"],
        "signature": answer["signature"],
    }
    key = public_keys.registered_key(row.person_id, row.credential, row.public_key, row.rp_id)
    if not is_assertion_valid(key, detail):
        raise PasskeyRejected(why=t("passkeys.why.not_verified"))
    return detail


def hold(session: Session, signature: PasskeySignature) -> None:
    """Keep the passkey from being removed until the caller's transaction ends.

    Raises `PasskeyRejected` if it was removed since it signed.
    """
    row = session.get(Passkey, signature.passkey_id, with_for_update={"read": True})
    if row is None or row.removed_at is not None:
        raise PasskeyRejected(why=t("passkeys.why.removed"))


def _require_subject(
    session: Session, content: Mapping[str, Any], person: PersonInfo, subject: DecisionSubject
) -> None:
    expected = {**asdict(subject), "person": person.id}
    if any(content.get(name) != value for name, value in expected.items()):
        raise PasskeyRejected(why=t("passkeys.why.other_subject"))
    known = log.position_of(session, str(content.get("head")))
    if known is None or log.head(session).size - known >= HEAD_WINDOW - 1:
        raise PasskeyRejected(why=t("passkeys.why.expired"))


def _own_passkey(
    session: Session, rp: RelyingParty, person: PersonInfo, response: Mapping[str, Any]
) -> Passkey:
    credential = response.get("id")
    found = session.scalar(
        select(Passkey).where(Passkey.credential == str(credential)).with_for_update()
    )
    if found is None or found.person_id != person.id or found.rp_id != rp.rp_id:
        raise PasskeyRejected(why=t("passkeys.why.not_yours"))
    if found.removed_at is not None:
        raise PasskeyRejected(why=t("passkeys.why.removed"))
    return found


def _verified_count(
    rp: RelyingParty, row: Passkey, challenge: str, response: Mapping[str, Any]
) -> int:
    """Verify an answer and return its counter, which the caller compares."""
    try:
        verified = webauthn.verify_authentication_response(
            credential=dict(response),
            expected_challenge=decode(challenge),
            expected_rp_id=rp.rp_id,
            expected_origin=rp.origin,
            credential_public_key=decode(row.public_key),
            # Compared by the caller: only a genuine signature can show that a key was copied.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyRejected(why=t("passkeys.why.not_verified")) from error
    return verified.new_sign_count


def _end_cloned(
    session: Session, board: BoardContext, person: PersonInfo, row: Passkey, count: int
) -> None:
    now = board.clock()
    officers = session.scalars(
        select(Person.name)
        .where(Person.role == _SECURITY_ROLE, Person.active.is_(True))
        .order_by(Person.person_id)
    )
    words = {
        "who": f"{person.name} {person.title}".strip(),
        "name": row.name,
        "officers": ", ".join(officers) or t_default("org.role.admin"),
        "count": count,
        "known": row.sign_count,
    }
    send(session, "alert", t_default("passkeys.alert", **words), now, sr_id=None)
    credentials.end(session, board, EntryKind.PASSKEY_CLONED, _ACTOR, row)
