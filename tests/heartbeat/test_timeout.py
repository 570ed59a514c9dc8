"""Beats: light if there is no work, ended in order if they take too long."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from waiting import AN_HOUR, PATIENCE

from guardia.agents.team import WorkResult
from guardia.board.core import wakes
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.execution import tasks
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Stale
from guardia.heartbeat import beat as beat_module
from guardia.heartbeat.beat import beat
from guardia.heartbeat.timeout import BeatAbandoned, run_with_timeout
from guardia.org import chart

IDLE = """
import sys
from guardia.board.core.keyless import keyless_context
from guardia.db.engine import Database
from guardia.heartbeat import schedule, worker
from guardia.heartbeat.beat import beat

board = keyless_context(Database({dsn!r}))
clock = schedule.HeartbeatScheduler(board)
clock.start()

def no_team():
    raise AssertionError("an idle beat asks for the team")

assert beat(board, no_team, "was-agent") == "idle"
assert beat(board, no_team, "was-agent") is None
clock.stop()
heavy = ("langgraph", "langchain_core", "kiwipiepy", "bm25s", "openai", "numpy")
print([name for name in heavy if name in sys.modules])
"""


def rows(env: BoardEnv, query: str) -> list[Any]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_idle_beat_loads_no_brain_and_calls_no_model(env: BoardEnv) -> None:
    with env.board.database.transaction() as session:
        wakes.wake(session, "was-agent", WakeReason.MANUAL, env.board.clock())
    command = [sys.executable, "-c", IDLE.format(dsn=env.dsn)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
    assert rows(env, "select outcome from tb_agent_run") == [("idle",)]


class SlowTeam:
    """A team whose work lasts until `go` is set; then it writes under its old claim."""

    def __init__(self, env: BoardEnv) -> None:
        self.env = env
        self.begun, self.go, self.late = (threading.Event() for _ in range(3))

    def work(self, _: Any, claim: Any) -> WorkResult:
        self.begun.set()
        self.go.wait(AN_HOUR)
        try:
            tasks.hand_over(self.env.board, claim, "늦은 글")
        except Stale:
            self.late.set()
            return WorkResult("stale", 0)
        return WorkResult("manual", 0)


@pytest.mark.slow
def test_a_beat_that_takes_too_long_loses_its_claim_and_people_are_alerted(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = chart.shipped_chart_path().read_text("utf-8")
    quick = text.replace("heartbeat: {every: 10m}", "heartbeat: {every: 10m, timeout: 1s}")
    organization_chart.apply_chart(env.board, quick, Actor.operator("test"))
    sr_id, slow = env.create_issue(), SlowTeam(env)

    def expire_after_claim(seconds: float, work: Any, expire: Any, **more: Any) -> Any:
        assert seconds == 1.0
        return run_with_timeout(
            seconds, work, lambda: slow.begun.wait(PATIENCE) and expire(), **more
        )

    # The timeout expires only once the task is claimed, no matter how slow this machine is.
    monkeypatch.setattr(beat_module, "run_with_timeout", expire_after_claim)
    try:
        assert beat(env.board, lambda: slow, "dispatcher", grace=0.2) == "timeout"  # type: ignore[arg-type,return-value]
        found = rows(env, "select outcome, task_id is not null from tb_agent_run")
        assert found == [("timeout", True)]
        kinds = f"select kind from tb_audit_log where sr_id = {sr_id} order by seq desc limit 1"
        assert rows(env, kinds) == [("timed_out",)]
        assert "제한 시간" in rows(env, "select text from tb_outbox where kind = 'alert'")[0][0]
        again = beats.begin(env.board, "dispatcher")
        assert again is not None and again.reasons == ("recovery",)
        assert beats.claim_task(env.board, again) is not None
    finally:
        slow.go.set()
    assert slow.late.wait(PATIENCE), "a late write landed"
    assert rows(env, "select status from tb_ops_task") == [(State.RECEIVED,)]


def test_work_that_notices_in_time_ends_in_order() -> None:
    expired = threading.Event()
    assert run_with_timeout(0.05, lambda: expired.wait(PATIENCE), expired.set) is True
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(AN_HOUR, lambda: 1 / 0, expired.set)
    never = threading.Event()
    with pytest.raises(BeatAbandoned):
        run_with_timeout(0.01, lambda: never.wait(AN_HOUR), lambda: None, grace=0.01)
    never.set()
