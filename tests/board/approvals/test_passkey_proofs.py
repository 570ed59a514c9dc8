"""Where the policy demands passkeys, only a signature in the audit log permits anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from passkey_env import SignedApproval, demand_passkeys, register, waiting
from signing_env import ephemeral_signer

from guardia.board.audit import log, passkey_signatures
from guardia.board.audit.chain import ChainEntry
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.passkeys import credentials
from guardia.errors import Forged

Approved = tuple[BoardEnv, SignedApproval]


def approve_unsigned(env: BoardEnv) -> SignedApproval:
    """Approve a plan while no passkey is demanded."""
    demand_passkeys(env, demanded=False)
    at = waiting(env)
    assert at.submit(None) is State.APPROVED
    return at


def the_policy_demands_passkeys_since(env: BoardEnv) -> None:
    register(env)
    approve_unsigned(env)
    demand_passkeys(env)


def the_plan_was_filed_while_they_were_demanded(env: BoardEnv) -> None:
    """Forge the table of steps and the chart, but not the entry of the plan."""
    demand_passkeys(env)
    at = waiting(env)
    demand_passkeys(env, demanded=False)
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_approval set signature = ''")
    at.submit(None)


def signed_with_a_key_that_only_the_table_has(env: BoardEnv) -> None:
    demand_passkeys(env)
    device, forged = register(env), ephemeral_signer()
    ours, env.board = env.board, replace(env.board, decision_signer=forged)
    theirs = register(env)  # its entry is signed with a key of another installation
    env.board = ours
    at = waiting(env)
    assert device.credential != theirs.credential
    at.approve(theirs.get(at.options()))


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [
        the_policy_demands_passkeys_since,
        the_plan_was_filed_while_they_were_demanded,
        signed_with_a_key_that_only_the_table_has,
    ],
)
def test_an_approval_without_a_passkey_signature_permits_nothing(
    env: BoardEnv, attack: Callable[[BoardEnv], None]
) -> None:
    attack(env)
    claim = env.claim("db-agent")
    with pytest.raises(Forged):
        tasks.begin_execution(env.board, claim)


def test_a_signature_made_before_the_key_was_removed_stays_valid(env: BoardEnv) -> None:
    demand_passkeys(env)
    device = register(env)
    at = waiting(env)
    at.approve(device.get(at.options()))
    credentials.remove(env.board, LEAD, credentials.list_passkeys(env.board, LEAD)[0].passkey_id)
    tasks.begin_execution(env.board, env.claim("db-agent"))


@pytest.mark.parametrize("dropped", ["signature", "head", "content"])
@pytest.mark.slow
def test_an_entry_whose_signature_does_not_fit_permits_nothing(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch, dropped: str
) -> None:
    demand_passkeys(env)
    device = register(env)
    at = waiting(env)
    signature = at.accept(device.get(at.options()))
    detail = dict(signature.detail)
    if dropped == "head":
        detail["content"] = {**detail["content"], "head": "0" * 64}
    elif dropped == "content":
        detail["content"] = {**detail["content"], "nonce": "0" * 32}
    else:
        detail["signature"] = detail["signature"][:-4] + "AAAA"
    at.submit(replace(signature, detail=detail))
    with pytest.raises(Forged):
        tasks.begin_execution(env.board, env.claim("db-agent"))


@pytest.mark.slow
def test_a_challenge_of_an_unknown_head_is_not_proven(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand_passkeys(env)
    device = register(env)
    at = waiting(env)
    at.approve(device.get(at.options()))
    claim = env.claim("db-agent")
    with monkeypatch.context() as without:
        without.setattr(log, "position_of", lambda *_: None)
        with pytest.raises(Forged):
            tasks.begin_execution(env.board, claim)
    tasks.begin_execution(env.board, claim)


def test_entries_of_before_need_no_signature(env: BoardEnv) -> None:
    approve_unsigned(env)
    tasks.begin_execution(env.board, env.claim("db-agent"))
    with env.board.database.reading() as session:
        entries: list[ChainEntry] = list(log.entries(session))
    checker = passkey_signatures.PasskeyChecker()
    assert all(checker.is_valid(entry) for entry in entries)
