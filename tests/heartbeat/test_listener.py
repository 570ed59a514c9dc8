"""Reactions to board events are retried until they succeed."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from board_env import BoardEnv
from waiting import PATIENCE

from guardia.board.control import kill_report
from guardia.heartbeat import listener
from guardia.heartbeat.listener import INTERRUPTING_KINDS, Reaction


def test_a_failing_reaction_is_retried_and_people_are_alerted_once(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_PAUSES", (0.0,))
    tried, alerts, ended = [], [], threading.Event()

    def interrupt() -> None:
        tried.append(1)
        if len(tried) < 8:
            raise TimeoutError("no connection is free")
        ended.set()

    def alert(error: Exception) -> None:
        alerts.append(error)
        if len(alerts) == 1:
            raise TimeoutError("not now")
        kill_report.alert_listener_failed(env.board, "host-1", type(error).__name__)

    with closing(
        listener._Reactor((Reaction(INTERRUPTING_KINDS, interrupt, on_failing=alert),))
    ) as reactor:
        reactor.dispatch("comment")
        reactor.dispatch("killed")
        assert ended.wait(PATIENCE)
    assert (len(tried), len(alerts)) == (8, 2)
    with env.board.database.reading() as session:
        rows = session.connection().exec_driver_sql("select kind, text from tb_outbox").all()
    assert [kind for kind, _ in rows] == ["alert"]
    assert "host-1" in rows[0][1] and "TimeoutError" in rows[0][1]
