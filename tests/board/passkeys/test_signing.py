"""Approvals signed with a passkey: what counts, and everything that must not."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import psycopg
import pytest
from board_env import LEAD, LEAD2, OFFICER, BoardEnv
from passkey_env import RP, SignedApproval, demand_passkeys, expired, register, waiting
from soft_authenticator import SoftAuthenticator, altered

from guardia.board.approvals import decisions
from guardia.board.audit import log
from guardia.board.audit.canonical import canonical
from guardia.board.audit.chain import ChainEntry
from guardia.board.audit.passkey_signatures import challenge_of, encode
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.passkeys import challenges, credentials, registration, signing
from guardia.errors import (
    GuardiaError,
    PasskeyMissing,
    PasskeyNeeded,
    PasskeyRejected,
    Throttled,
)


@pytest.fixture
def device(env: BoardEnv) -> SoftAuthenticator:
    demand_passkeys(env)
    return register(env)


def entries(env: BoardEnv) -> list[ChainEntry]:
    with env.board.database.reading() as session:
        return list(log.entries(session))


def kinds(env: BoardEnv) -> list[str]:
    return [e.kind for e in entries(env)]


def refused(act: Any, *words: str) -> None:
    with pytest.raises(PasskeyRejected) as error:
        act()
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_approval_is_signed_and_the_entry_holds_everything(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at = waiting(env)
    head = entries(env)[-1].current_hash
    answer = device.get(at.options())
    assert at.approve(answer) is State.APPROVED
    entry = entries(env)[-1]
    given = entry.detail["passkey"]
    assert (given["content"]["head"], given["content"]["plan_hash"]) == (head, at.plan_hash)
    assert {"issue", "plan_hash", "head", "expiry", "nonce"} <= given["content"].keys()
    assert given["client_data"] == answer["response"]["clientDataJSON"]
    assert entry.detail["statement"]["passkey"] == encode(challenge_of(given["content"]))
    tasks.begin_execution(env.board, env.claim("db-agent"))


def test_without_a_passkey_nothing_is_approved(env: BoardEnv) -> None:
    demand_passkeys(env)
    at = waiting(env)
    with pytest.raises(PasskeyNeeded):
        at.submit(None)
    with pytest.raises(PasskeyMissing):
        at.options()
    assert "approved" not in kinds(env)


def test_a_step_keeps_its_demand_when_the_chart_drops_it(env: BoardEnv) -> None:
    demand_passkeys(env)
    at = waiting(env)
    demand_passkeys(env, demanded=False)
    with pytest.raises(PasskeyNeeded):
        at.submit(None)


def test_a_rejection_needs_no_passkey(env: BoardEnv) -> None:
    demand_passkeys(env)
    at = waiting(env)
    words = {"approve": False, "plan_hash": at.plan_hash, "reason": "아니오"}
    assert decisions.decide(env.board, LEAD, at.claim.task_id, **words) is State.MANUAL


def test_a_signature_of_another_plan_or_issue_or_verdict_is_refused(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at, other = waiting(env), waiting(env)
    wrong_hash = SignedApproval(env, at.claim, "0" * 64)
    for signed in (other, wrong_hash):
        answer = device.get(signed.options())
        refused(lambda answer=answer: at.approve(answer), "다른 계획")
    answer = device.get(signing.begin(env.board, RP, LEAD, at.subject("reject")))
    refused(lambda: at.approve(answer), "다른 계획")
    assert at.approve(device.get(at.options())) is State.APPROVED


def test_an_answer_counts_once(env: BoardEnv, device: SoftAuthenticator) -> None:
    at = waiting(env)
    answer = device.get(at.options())
    at.accept(answer)
    refused(lambda: at.approve(answer), "이미 사용된")


def test_of_two_at_once_one_wins(env: BoardEnv, device: SoftAuthenticator) -> None:
    at = waiting(env)
    answer, outcomes = device.get(at.options()), list[object]()
    together = threading.Barrier(2)

    def approve() -> None:
        together.wait()
        try:
            outcomes.append(at.approve(answer))
        except GuardiaError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=approve) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, [State.APPROVED, PasskeyRejected]))
    assert kinds(env).count("approved") == 1


def test_an_expired_challenge_is_refused(env: BoardEnv, device: SoftAuthenticator) -> None:
    at = waiting(env)
    answer = device.get(at.options(rp=expired()))
    refused(lambda: at.approve(answer), "유효 시간")


def test_a_device_that_does_not_verify_its_user_is_refused(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at = waiting(env)
    device.verifies_user = False
    answer = device.get(at.options())
    refused(lambda: at.approve(answer), "본인 확인")
    with pytest.raises(PasskeyRejected):
        register(env, LEAD2, verifies_user=False)


@pytest.mark.parametrize(
    "client",
    [
        {"origin": "https://evil.test"},
        {"origin": "https://board.example.test:8443"},
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
        {"crossOrigin": True},
    ],
)
def test_an_answer_for_another_place_is_refused(
    env: BoardEnv, device: SoftAuthenticator, client: dict[str, str]
) -> None:
    at = waiting(env)
    answer = device.get(at.options(), **client)
    refused(lambda: at.approve(answer))


@pytest.mark.parametrize("name", ["signature", "authenticatorData", "clientDataJSON"])
def test_an_altered_answer_is_refused(env: BoardEnv, device: SoftAuthenticator, name: str) -> None:
    at = waiting(env)
    answer = altered(device.get(at.options()), name)
    refused(lambda: at.approve(answer))


@pytest.mark.parametrize(
    "answer",
    [{}, {"response": None}, {"response": {"clientDataJSON": "%%"}}, {"response": {}, "id": 1}],
)
def test_a_malformed_answer_is_refused(
    env: BoardEnv, device: SoftAuthenticator, answer: dict[str, Any]
) -> None:
    refused(lambda: waiting(env).approve(answer), "응답을 읽을 수 없습니다")


def test_a_copied_key_is_found_by_its_counter_and_ended(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at = waiting(env)
    device.counter -= 2
    refused(lambda: at.approve(device.get(at.options())), "복제")
    assert kinds(env)[-1] == "passkey_cloned"
    with psycopg.connect(env.dsn) as connection:
        query = "select text from tb_outbox where kind = 'alert'"
        alerts = [row[0] for row in connection.execute(query)]
    assert len(alerts) == 1
    assert OFFICER.name in alerts[0]
    assert "사무실 PC" in alerts[0]
    with pytest.raises(PasskeyMissing):
        at.options()


def test_a_device_without_a_counter_signs_again_and_again(env: BoardEnv) -> None:
    demand_passkeys(env)
    synced = register(env, counter=0, step=0)
    for at in (waiting(env), waiting(env)):
        assert at.approve(synced.get(at.options())) is State.APPROVED


def test_a_removed_key_signs_no_longer(env: BoardEnv, device: SoftAuthenticator) -> None:
    at = waiting(env)
    register(env)  # another device, so that challenges are still issued
    first, _ = credentials.list_passkeys(env.board, LEAD)
    answer = device.get(at.options())
    signature = at.accept(device.get(at.options()))
    credentials.remove(env.board, LEAD, first.passkey_id)
    refused(lambda: at.approve(answer), "삭제되었거나")
    refused(lambda: at.submit(signature), "삭제되었거나")


def test_another_accounts_key_does_not_sign(env: BoardEnv, device: SoftAuthenticator) -> None:
    at = waiting(env)
    theirs = register(env, LEAD2)
    refused(lambda: at.approve(theirs.get(at.options())), "이 계정에 등록된")
    # Nor does another person's signature for the same plan.
    answer = theirs.get(at.options(LEAD2))
    refused(lambda: at.approve(answer), "이 계정에서 시작한")
    signature = at.accept(theirs.get(at.options(LEAD2)), LEAD2)
    refused(lambda: at.submit(signature, LEAD), "다른 계획")


@pytest.mark.slow
def test_one_person_has_only_so_many_open_challenges(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at = waiting(env)
    for _ in range(challenges.MAX_OPEN):
        last = at.options()
    with pytest.raises(Throttled):
        at.options()
    refused(lambda: at.approve(altered(device.get(last), "signature")))
    assert at.approve(device.get(at.options())) is State.APPROVED


def test_the_challenge_is_the_hash_of_canonical_values(
    env: BoardEnv, device: SoftAuthenticator
) -> None:
    at = waiting(env)
    at.approve(device.get(at.options()))
    content = entries(env)[-1].detail["passkey"]["content"]
    assert challenge_of(content) == hashlib.sha256(canonical(content)).digest()


def test_a_registration_answers_one_challenge_of_its_person(env: BoardEnv) -> None:
    options = registration.begin(env.board, RP, LEAD)
    made = SoftAuthenticator(RP.origin, RP.rp_id).create(options)
    refused(lambda: registration.finish(env.board, RP, LEAD2, "남의 것", made), "시작한")
    registration.finish(env.board, RP, LEAD, "내 것", made)
    refused(lambda: registration.finish(env.board, RP, LEAD, "다시", made), "이미 사용된")
    again = registration.begin(env.board, RP, LEAD)
    assert [c["id"] for c in again["excludeCredentials"]] == [made["id"]]
    assert again["authenticatorSelection"]["userVerification"] == "required"
    assert again["attestation"] == "none"
