"""What running commands print is announced in bounded pieces, and never holds a command up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from waiting import PATIENCE, wait_until

from guardia.board.core.claims import Claim, Grant
from guardia.board.core.plan import ToolCall
from guardia.board.execution import live_output as announcements
from guardia.board.execution.commands import Intent
from guardia.board.execution.live_output import CHANNEL, TAIL_BYTES, OutputTail, OutputTails
from guardia.tools import live_output
from guardia.tools.live_output import LiveOutput


def intent(seq: int = 7) -> Intent:
    claim = Claim(task_id=1, sr_id=3, agent_id="a", run_id=1, fence=1)
    grant = Grant(claim, "MOF-WAS-01", "READ", None)
    return Intent(grant, ToolCall(tool="logs.tail", args={}), "tail", None, seq)


@contextmanager
def listening(env: BoardEnv) -> Iterator[Any]:
    """Yield a function that waits for the next announcement."""
    with psycopg.connect(env.board.database.dsn, autocommit=True) as connection:
        connection.execute(f"listen {CHANNEL}")
        yield lambda: json.loads(next(connection.notifies(timeout=PATIENCE)).payload)


@pytest.mark.slow
def test_the_end_of_the_output_is_announced_until_the_command_ends(env: BoardEnv) -> None:
    live = LiveOutput(env.board, pause=0.05)
    with listening(env) as following:
        with live.following(intent()) as add:
            add("stdout", "한글\n" * 3000)
            first = following()
            add("stderr", "next\n")
            second = following()
        last = following()
    assert first["server"] == "MOF-WAS-01" and first["sr_id"] == 3
    assert len(first["text"].encode()) <= TAIL_BYTES and first["text"].endswith("한글\n")
    assert second["text"].endswith("한글\nnext\n")
    assert last["ended"] and last["text"] == ""


def test_a_short_command_is_not_announced(env: BoardEnv) -> None:
    live = LiveOutput(env.board, pause=0.01)
    for number in range(50):
        with live.following(intent(number)) as add:
            add("stdout", "done\n")
    assert live._ended == []


def test_a_command_does_not_wait_for_the_database(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[OutputTail] = []

    def fail(_board: object, tail: OutputTail) -> None:
        tried.append(tail)
        raise OSError("away")

    monkeypatch.setattr(announcements, "announce", fail)
    monkeypatch.setattr(live_output, "_PAUSE", 0.0)
    live = LiveOutput(env.board, pause=0.01)
    with live.following(intent()) as add:
        add("stdout", "one\n")
        assert wait_until(lambda: tried)
        add("stdout", "two\n")
        assert wait_until(lambda: len(tried) > 1)


@pytest.mark.parametrize("text", ["\n" * 4096, '"\\' * 2048, "가" * 1365, "\x1f" * 4000])
def test_a_tail_of_any_text_fits_into_a_notification(text: str) -> None:
    tail = OutputTail(1, 1, 1, "logs.tail", "S", 3, text)
    assert len(announcements._payload(tail).encode()) < 8000


def test_a_board_forgets_what_has_ended_or_gone_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    tails = OutputTails()
    event = {"sr_id": 3, "task_id": 1, "seq": 1, "tool": "a", "server": "S", "seconds": 1}
    assert tails.put({**event, "text": "one", "ended": False}) == 3
    assert [tail.text for tail in tails.of_issue(3)] == ["one"]
    assert tails.of_issue(4) == ()
    tails.put({**event, "text": "", "ended": True})
    assert tails.of_issue(3) == ()
    tails.put({**event, "text": "one", "ended": False})
    monkeypatch.setattr(announcements, "_FORGOTTEN_AFTER", -1.0)
    assert tails.of_issue(3) == ()
