"""Throttling of sign-in attempts over all processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv, seeded_env

from guardia.board.core.context import utc_now
from guardia.org import throttle

NOW = utc_now()


@pytest.fixture
def env(database: Any) -> Any:
    with seeded_env(database.app) as found:
        yield found


def attempt(env: BoardEnv, limits: dict[str, int], late: float = 0) -> list[int] | None:
    with env.board.database.transaction() as session:
        return throttle.register_attempt(session, limits, NOW + timedelta(seconds=late))


def test_the_count_ends_with_its_window_and_with_success(env: BoardEnv) -> None:
    assert all(attempt(env, {"a": 3}) for _ in range(3))
    assert attempt(env, {"a": 3}) is None
    # One reached limit is enough, and a refused attempt counts under no key.
    assert attempt(env, {"a": 3, "b": 1}) is None
    assert attempt(env, {"b": 1})
    assert attempt(env, {"a": 3}, late=299) is None
    numbers = attempt(env, {"a": 3, "c": 1}, late=300)
    assert numbers
    with env.board.database.transaction() as session:
        throttle.clear_attempts(session, numbers, "a")
    assert attempt(env, {"a": 1, "c": 1}, late=300)


def test_concurrent_attempts_are_limited_too(env: BoardEnv) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: attempt(env, {"x": 5, "place": 50}), range(24)))
    assert sum(f is not None for f in found) == 5


def test_keys_are_hashed_and_old_attempts_are_deleted(env: BoardEnv, database: Any) -> None:
    attempt(env, {"비밀번호를 잘못 적음": 5})
    attempt(env, {"other": 5}, late=600)
    with psycopg.connect(database.superuser) as connection:
        rows = connection.execute("select key from tb_attempt").fetchall()
    assert len(rows) == 1 and len(rows[0][0]) == 64
