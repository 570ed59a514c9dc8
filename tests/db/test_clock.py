"""The time comes from the database; a host whose clock is off does not work and says so."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from command_line import environment

from guardia.board.control import kill_switch
from guardia.board.core import kill_switch as core_kill_switch
from guardia.board.issues import receiving
from guardia.db.clock import DatabaseClock
from guardia.errors import ClockOff

YEARS = 73 * 365 * 86_400.0


class HostClock:
    """A host's clock that is ahead by some seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def host() -> HostClock:
    return HostClock()


@pytest.fixture
def clock(env: BoardEnv, host: HostClock) -> Iterator[DatabaseClock]:
    made = DatabaseClock(env.dsn, host_clock=host)
    yield made
    made.close()


def near(moment: datetime) -> bool:
    return abs(moment - datetime.now(UTC)) < timedelta(minutes=10)


@pytest.mark.parametrize("ahead", [YEARS, -YEARS / 2, 60.0, -6.0])
def test_a_wrong_host_does_not_work_and_reaches_no_entry(
    env: BoardEnv, clock: DatabaseClock, host: HostClock, ahead: float
) -> None:
    board = replace(env.board, clock=clock)
    line = receiving.NewIssue(text="느려요", channel="web", sender="장하늘")
    receiving.receive_issue(board, line)
    host.ahead = ahead
    with pytest.raises(ClockOff, match="시계"):
        receiving.receive_issue(board, line)
    assert near(board.current_time())
    kill_switch.kill(board, LEAD, "멈춤")  # stopping does not depend on a clock
    active = core_kill_switch.active_kill_switch(board)
    assert active is not None and near(active.ordered_at)
    host.ahead = 0.0
    assert near(clock())


def test_a_small_difference_is_tolerated(clock: DatabaseClock, host: HostClock) -> None:
    host.ahead = 3.0
    assert near(clock())
    assert 2 < clock.offset() < 4


def test_a_jump_of_the_databases_clock_stops_work_until_it_is_undone(
    env: BoardEnv, database: Any, host: HostClock
) -> None:
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("create schema fake")
        owner.execute("grant usage on schema fake to public")
        owner.execute(
            "create function fake.clock_timestamp() returns timestamptz language sql as"
            " $$ select pg_catalog.clock_timestamp() + interval '0 s' $$"
        )
        change = "alter database {} set search_path = {}"
        owner.execute(change.format(database.name, "fake, pg_catalog, public"))  # type: ignore[arg-type]
        clock = DatabaseClock(env.dsn, host_clock=host)
        assert near(clock())

        def jump(seconds: int) -> None:
            owner.execute(
                "create or replace function fake.clock_timestamp() returns timestamptz"
                " language sql as $$ select pg_catalog.clock_timestamp() + interval"
                f" '{seconds} s' $$"  # type: ignore[arg-type]
            )
            clock._next_question = 0.0

        jump(3600)
        with pytest.raises(ClockOff, match="3600"):
            clock()
        assert near(clock.time())
        jump(0)
        assert near(clock())
        clock.close()


@pytest.mark.slow
def test_a_command_on_a_host_of_the_year_2099_refuses_with_one_sentence(
    env: BoardEnv, tmp_path: Path
) -> None:
    program = (
        "import time; real = time.time; time.time = lambda: real() + 73 * 365 * 86_400;"
        "from guardia.cli import main; main()"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", program, "agent", "pause", "db-agent"],
        env=environment(tmp_path, GUARDIA_DSN=env.dsn),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "시계" in done.stderr and "Traceback" not in done.stderr
