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


def tried(env: BoardEnv, limits: dict[str, int], late: float = 0) -> list[int] | None:
    with env.board.database.transaction() as session:
        return throttle.register_attempt(session, limits, NOW + timedelta(seconds=late))


def test_the_count_ends_with_its_window_and_with_success(env: BoardEnv) -> None:
    assert all(tried(env, {"a": 3}) for _ in range(3))
    assert tried(env, {"a": 3}) is None
    # One reached limit is enough, and what is refused counts under no key.
    assert tried(env, {"a": 3, "b": 1}) is None
    assert tried(env, {"b": 1})
    assert tried(env, {"a": 3}, late=299) is None
    numbers = tried(env, {"a": 3, "c": 1}, late=300)
    assert numbers
    with env.board.database.transaction() as session:
        throttle.clear_attempts(session, numbers, "a")
    assert tried(env, {"a": 1, "c": 1}, late=300)


def test_many_at_once_from_several_processes_get_no_further(env: BoardEnv) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: tried(env, {"x": 5, "place": 50}), range(24)))
    assert sum(f is not None for f in found) == 5


def test_nothing_of_what_was_typed_is_kept_and_old_tries_go(env: BoardEnv, database: Any) -> None:
    tried(env, {"비밀번호를 잘못 적음": 5})
    tried(env, {"other": 5}, late=600)
    with psycopg.connect(database.superuser) as connection:
        rows = connection.execute("select key from tb_attempt").fetchall()
    assert len(rows) == 1 and len(rows[0][0]) == 64
