from __future__ import annotations

from datetime import timedelta

import pytest
from board_env import BoardEnv
from page_env import PASSWORD, enrol_page_users
from sqlalchemy import text

from guardia.board.accounts import sign_in
from guardia.errors import Throttled
from guardia.org import access, known_devices


@pytest.mark.slow
def test_a_session_lasts_from_sign_in_to_sign_out(env: BoardEnv) -> None:
    enrol_page_users(env)

    def who(token: str) -> str | None:
        with env.board.database.reading() as session:
            found = access.person_of_session(session, token, env.board.clock())
            return found.id if found else None

    first, second = (sign_in.sign_in(env.board, "lead", PASSWORD) for _ in range(2))
    assert first and second and first != second
    assert (who(first), who(second)) == ("lead", "lead")
    sign_in.sign_out(env.board, first)
    assert (who(first), who(second)) == (None, "lead")
    assert sign_in.sign_in(env.board, "lead", "틀림") is None
    assert sign_in.sign_in(env.board, "nobody", PASSWORD) is None


def test_a_new_session_ends_the_one_that_it_replaces(env: BoardEnv) -> None:
    enrol_page_users(env)
    before = sign_in.sign_in(env.board, "lead", PASSWORD)
    assert before
    attempt = sign_in.begin(env.board, "pm", "10.0.0.1")
    assert sign_in.open_session(env.board, attempt, "틀림", before) is None
    assert owner(env, before) == "lead"
    after = sign_in.open_session(env.board, attempt, PASSWORD, before)
    assert after is not None
    assert (owner(env, before), owner(env, after.token)) == (None, "pm")


def owner(env: BoardEnv, token: str) -> str | None:
    with env.board.database.reading() as session:
        found = access.person_of_session(session, token, env.board.clock())
        return found.id if found else None


def fail(env: BoardEnv, account: str, source: str, device: str = "") -> bool:
    """Try a wrong password; return whether the attempt was permitted."""
    try:
        attempt = sign_in.begin(env.board, account, source, device)
    except Throttled:
        return False
    # The check itself takes a tenth of a second and always fails.
    assert attempt.account == account
    return True


def known_device(env: BoardEnv, account: str) -> str:
    attempt = sign_in.begin(env.board, account, "10.0.0.1")
    found = sign_in.open_session(env.board, attempt, PASSWORD)
    assert found is not None
    return found.device


@pytest.mark.slow
def test_strangers_from_anywhere_shut_no_owner_out(env: BoardEnv) -> None:
    """An approver whose account is tried from 300 addresses still signs in."""
    enrol_page_users(env)
    device = known_device(env, "lead")
    tried = [fail(env, "lead", f"10.1.{n // 250}.{n % 250}") for n in range(300)]
    assert all(tried), "each new address has an attempt"
    assert not fail(env, "lead", "10.1.0.7"), "and under attack only one"
    again = sign_in.begin(env.board, "lead", "10.1.0.7", device)
    assert again.device == device, "the owner's device has an allowance of its own"
    assert sign_in.open_session(env.board, again, PASSWORD) is not None
    fresh = sign_in.begin(env.board, "lead", "10.77.0.1")
    assert sign_in.open_session(env.board, fresh, PASSWORD) is not None


@pytest.mark.slow
def test_the_owners_device_needs_no_allowance_of_its_address(env: BoardEnv) -> None:
    """As behind a proxy that is not configured: everyone has the same address."""
    enrol_page_users(env)
    device = known_device(env, "lead")
    while fail(env, "lead", "127.0.0.1"):
        pass
    while fail(env, f"a-{len(attempts(env))}", "127.0.0.1"):
        pass
    assert not fail(env, "pm", "127.0.0.1")
    assert fail(env, "lead", "127.0.0.1", device)


def attempts(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return list(session.scalars(text("select key from tb_attempt")))


@pytest.mark.slow
def test_a_device_has_a_bound_too_and_belongs_to_one_account(env: BoardEnv) -> None:
    enrol_page_users(env)
    device = known_device(env, "lead")
    assert [fail(env, "lead", "10.0.0.2", device) for _ in range(11)] == [True] * 10 + [False]
    for stolen in (device, "made-up", "\udc80", ""):
        allowed = [fail(env, "pm", f"10.0.1.{len(stolen)}", stolen) for _ in range(6)]
        assert allowed == [True] * 5 + [False]


def test_devices_are_forgotten(env: BoardEnv) -> None:
    enrol_page_users(env)
    first = known_device(env, "lead")
    lead = sign_in.authenticate(env.board, "lead", PASSWORD)
    assert lead is not None
    with env.board.database.transaction() as session:
        now = env.board.clock()
        later = [now + timedelta(seconds=n) for n in range(20)]
        secrets = [known_devices.remember(session, "lead", "", moment) for moment in later]
        assert not known_devices.is_known(session, "lead", first, now)
        assert all(known_devices.is_known(session, "lead", s, now) for s in secrets)
        long_after = now + known_devices.LIFETIME + timedelta(minutes=1)
        assert not known_devices.is_known(session, "lead", secrets[-1], long_after)
        assert known_devices.remember(session, "lead", secrets[0], now) == secrets[0]
    sign_in.sign_out_everywhere(env.board, lead)
    with env.board.database.reading() as session:
        assert session.scalar(text("select count(*) from tb_known_device")) == 0
