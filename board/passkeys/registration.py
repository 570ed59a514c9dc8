"""Register a passkey: options for the browser, and the verification of its answer.

The entry of the registration holds the public key in a signed statement: from then on the audit
log alone says whose key it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import webauthn
from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn.helpers import generate_challenge, options_to_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.passkey_signatures import (
    EDDSA,
    ES256,
    RS256,
    RegisteredKey,
    decode,
    encode,
)
from guardia.board.audit.signing_keys import DECISION_KEYS
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.passkeys import challenges, credentials, public_keys
from guardia.board.passkeys.model import Passkey
from guardia.board.passkeys.relying_party import NAME, RelyingParty
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, PasskeyRejected
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import trim

MAX_PASSKEYS = 10
_ALGORITHMS = [COSEAlgorithmIdentifier(number) for number in (ES256, EDDSA, RS256)]
_USER_DOMAIN = b"guardia.passkey.user.v1\n"


@repeat_on_conflict
def begin(board: BoardContext, rp: RelyingParty, person: PersonInfo) -> dict[str, Any]:
    """Issue a challenge for a registration; return the options for `navigator.credentials`."""
    require_permission(person, "passkey.own")
    challenge = generate_challenge()
    with board.database.transaction() as session:
        own = credentials.active_passkeys(session, person.id, rp.rp_id)
        if len(own) >= MAX_PASSKEYS:
            raise Invalid(what=t("passkeys.one"), why=t("passkeys.too_many", most=MAX_PASSKEYS))
        expires_at = challenges.database_time(session) + rp.lifetime
        challenges.store(session, encode(challenge), "register", person.id, expires_at, {})
        known = [PublicKeyCredentialDescriptor(id=decode(k.credential)) for k in own]
    options = webauthn.generate_registration_options(
        rp_id=rp.rp_id,
        rp_name=NAME,
        user_name=person.id,
        user_id=hashlib.sha256(_USER_DOMAIN + person.id.encode()).digest(),
        user_display_name=f"{person.name} {person.title}".strip(),
        challenge=challenge,
        timeout=int(rp.lifetime.total_seconds() * 1000),
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=known,
        supported_pub_key_algs=_ALGORITHMS,
    )
    found: dict[str, Any] = json.loads(options_to_json(options))
    return found


@repeat_on_conflict
def finish(
    board: BoardContext,
    rp: RelyingParty,
    person: PersonInfo,
    name: str,
    response: Mapping[str, Any],
) -> None:
    """Verify the browser's answer and register the passkey.

    Raises `PasskeyRejected` if it answers no open challenge of this person, or if the device did
    not verify who uses it.
    """
    require_permission(person, "passkey.own")
    if not (name := trim(name, credentials.MAX_NAME)):
        raise Missing(what=t("passkeys.name"))
    challenge = challenges.challenge_in(response)
    # A transaction of its own: a challenge is used up even if its answer is refused.
    with board.database.transaction() as session:
        challenges.use(session, challenge, "register", person.id)
    verified = _verified(rp, challenge, response)
    credential = encode(verified.credential_id)
    key = public_keys.registered_key(
        person.id, credential, encode(verified.credential_public_key), rp.rp_id
    )
    with board.database.transaction() as session:
        if session.scalar(select(Passkey.passkey_id).where(Passkey.credential == credential)):
            raise PasskeyRejected(why=t("passkeys.why.known"))
        row = Passkey(
            person_id=person.id,
            credential=credential,
            public_key=encode(verified.credential_public_key),
            rp_id=rp.rp_id,
            sign_count=verified.sign_count,
            name=name,
            created_at=board.clock(),
        )
        session.add(row)
        session.flush()
        _record(session, board, key, row, verified)


def _verified(
    rp: RelyingParty, challenge: str, response: Mapping[str, Any]
) -> VerifiedRegistration:
    try:
        return webauthn.verify_registration_response(
            credential=dict(response),
            expected_challenge=decode(challenge),
            expected_rp_id=rp.rp_id,
            expected_origin=rp.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise PasskeyRejected(why=t("passkeys.why.not_verified")) from error


def _record(
    session: Session,
    board: BoardContext,
    key: RegisteredKey,
    row: Passkey,
    verified: VerifiedRegistration,
) -> None:
    """Append the entry that names the key and its owner, signed by the installation."""
    statement = {**asdict(key), "task": None, "chain_head": log.lock_head(session)}
    log.append(
        session,
        EntryKind.PASSKEY_REGISTERED,
        actor=str(Actor.person(key.person)),
        now=board.clock(),
        detail={
            "name": row.name,
            "aaguid": verified.aaguid,
            "synced": verified.credential_backed_up,
            "statement": statement,
            **board.decision_signer.sign(statement, log.announced_key(session, DECISION_KEYS)),
        },
        person=key.person,
        name=row.name,
    )
