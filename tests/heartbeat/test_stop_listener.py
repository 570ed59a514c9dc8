"""A stop that reaches a worker while the database does not answer, and is recorded afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from page_env import PASSWORD, PageClient, enrol_page_users, page_app
from waiting import wait_until

from guardia.board.approvals import decisions
from guardia.board.control import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Claim
from guardia.board.core.context import BoardContext
from guardia.board.core.local_stop import LocalStop, StopOrder
from guardia.board.execution import tasks
from guardia.board.intake import stop_command
from guardia.board.issues import receiving
from guardia.board.runs import beats
from guardia.db.engine import Database
from guardia.errors import Interrupted
from guardia.heartbeat.stop_listener import StopListener
from guardia.org.credential_store import FileCredentialStore
from guardia.tools.gate import Gate
from guardia.tools.inflight import TrackedCommand
from guardia.tools.transport.connections import Connections

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/none"


@pytest.fixture
def local(tmp_path: Path) -> LocalStop:
    return LocalStop(tmp_path)


@pytest.fixture
def away(env: BoardEnv, local: LocalStop) -> Iterator[BoardContext]:
    """The board of a process whose database does not answer."""
    database = Database(NOWHERE)
    yield replace(env.board, database=database, local_stop=local)
    database.close()


@contextmanager
def worker(board: BoardContext, local: LocalStop) -> Iterator[tuple[Gate, TrackedCommand]]:
    """A worker of this host with one command in flight."""
    gate = Gate(board, Connections(FileCredentialStore(local.folder.parent / "secrets")))
    claim = board_claim()
    with StopListener(board, gate, local), gate.in_flight.track(claim, "MOF-DB-01") as tracked:
        yield gate, tracked


def board_claim() -> Claim:
    return Claim(task_id=1, sr_id=1, agent_id="db-agent", run_id=1, fence=1)


def kills(env: BoardEnv) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        query = "select ordered_by, reason, room from tb_kill order by kill_id"
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_a_stop_ends_commands_without_the_database_and_is_recorded_later(
    env: BoardEnv, away: BoardContext, local: LocalStop
) -> None:
    with worker(away, local) as (gate, tracked):
        result = kill_switch.kill(away, LEAD, "연기")
        assert tracked.cancel.is_set()
        assert result.local is not None and not result.is_recorded
        assert (result.local.workers, result.local.commands) == (1, 1)
        assert local.is_pressed()
        with pytest.raises(Interrupted), gate.in_flight.track(board_claim(), "MOF-DB-01"):
            pass
    assert kills(env) == []
    with worker(replace(env.board, local_stop=local), local) as (gate, _):
        assert wait_until(lambda: not local.is_pressed())
        assert kills(env) == [("person:lead", "연기", "")]
        with gate.in_flight.track(board_claim(), "MOF-DB-01"):
            pass  # from here on the board decides


def test_a_rollback_that_came_while_commands_were_refused_is_not_forgotten(
    env: BoardEnv, local: LocalStop
) -> None:
    filed, _, bound = env.create_filed_plan()
    decisions.decide(env.board, LEAD, filed.task_id, approve=True, plan_hash=bound)
    tasks.begin_execution(env.board, env.claim("db-agent"))
    board = replace(env.board, local_stop=local)
    kill_switch.kill(board, LEAD, "연기")
    beat = beats.begin(board, "db-agent")
    assert beat is not None and beat.has_rollback
    beats.end(board, beat, "stale", task_id=None, steps=0)  # the gate refused its commands
    assert beats.begin(board, "db-agent") is None
    local.press(StopOrder.of(Actor.of(LEAD), "연기"))
    with worker(board, local):
        assert wait_until(lambda: not local.is_pressed())
        assert wait_until(lambda: beats.begin(board, "db-agent") is not None)


def test_a_worker_that_starts_with_a_waiting_order_runs_nothing(
    away: BoardContext, local: LocalStop
) -> None:
    kill_switch.kill(away, LEAD, "연기")
    gate = Gate(away, Connections(FileCredentialStore(local.folder.parent / "secrets")))
    with (
        StopListener(away, gate, local),
        pytest.raises(Interrupted),
        gate.in_flight.track(board_claim(), "MOF-DB-01"),
    ):
        pass


@pytest.mark.slow
def test_the_stop_word_stops_without_the_database(
    env: BoardEnv, away: BoardContext, local: LocalStop
) -> None:
    line = receiving.NewIssue(
        text="정지", channel="mattermost", sender="kim", room="운영", external_id="p1"
    )
    with worker(away, local) as (_, tracked):
        for _ in range(2):  # the messenger repeats what was not accepted
            result = stop_command.handle_stop(away, line)
            assert result is not None and result.local is not None and result.local.kept
        assert tracked.cancel.is_set()
    board = replace(env.board, local_stop=local)
    assert kill_switch.record_pending(board)
    assert kills(env) == [("channel:mattermost", "정지", "운영")]
    assert not kill_switch.record_pending(board)
    assert stop_command.handle_stop(board, line) is not None
    assert len(kills(env)) == 1


@pytest.mark.slow
def test_the_button_stops_without_the_database_and_answers_honestly(
    env: BoardEnv, away: BoardContext, local: LocalStop
) -> None:
    enrol_page_users(env)
    app = page_app(env.board)
    browser = PageClient(app, raise_server_exceptions=False)
    browser.submit_form("/login", "/login", account="lead", password=PASSWORD)
    form = {"csrf": browser.token(), "reason": "연기"}
    app.state.board = away
    with worker(away, local) as (_, tracked):
        answer = browser.post("/kill", data=form, headers={"accept": "text/html"})
        assert tracked.cancel.is_set()
    assert answer.status_code == 503
    assert "명령 1건을 종료" in answer.text and "기록하지 못했" in answer.text
    assert [order.by for order in local.pending()] == ["person:lead"]
    for path in ("/release", "/issues"):
        assert browser.post(path, data=form).status_code in {403, 503}
