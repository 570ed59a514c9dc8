"""Outbox messages reach the messenger or the alert webhook, with retries."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import psycopg
import pytest
from board_env import BoardEnv
from procrastinate.jobs import Job

from guardia.board.core import outbox
from guardia.board.intake.channels import RetryLater
from guardia.heartbeat.deliver import deliver
from guardia.heartbeat.queue import JobHandlers, create_engine_app
from guardia.settings import Settings


class Room(ThreadingHTTPServer):
    """A messenger's incoming webhook that answers `status` and stores what it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.posts: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/secret-token"


class Hook(BaseHTTPRequestHandler):
    server: Room

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posts.append(json.loads(body))
        self.server.keys.append(self.headers["idempotency-key"])
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def room() -> Iterator[Room]:
    with Room() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


def queued(env: BoardEnv, kind: str) -> int:
    with env.board.database.transaction() as session:
        outbox.send(session, kind, "SR-1 처리 완료", env.board.clock(), room="방", sr_id=1)
    return int(row(env)[0])


def row(env: BoardEnv) -> tuple[Any, ...]:
    query = "select outbox_id, delivered_at is not null, attempts, last_error from tb_outbox"
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute(f"{query} order by outbox_id desc limit 1").fetchone()
    assert found is not None
    return found


@pytest.mark.slow
def test_a_message_leaves_once_in_the_messengers_own_form(env: BoardEnv, room: Room) -> None:
    number = queued(env, "message")
    settings = Settings(messenger_url=room.url)
    deliver(env.board, settings, number)
    deliver(env.board, settings, number)
    assert room.posts == [
        {"username": "GUARDiA", "text": "SR-1 처리 완료", "channel": "방", "props": {"sr_id": 1}}
    ]
    assert row(env)[1:] == (True, 1, None)


@pytest.mark.slow
def test_an_alert_goes_to_the_alert_webhook(env: BoardEnv, room: Room) -> None:
    deliver(env.board, Settings(alert_url=room.url), queued(env, "alert"))
    assert len(room.posts) == 1


@pytest.mark.slow
def test_a_refusal_is_kept_without_the_address_and_tried_again(env: BoardEnv, room: Room) -> None:
    room.status = 503
    number = queued(env, "message")
    with pytest.raises(OSError) as raised:
        deliver(env.board, Settings(messenger_url=room.url), number)
    assert "secret-token" not in str(raised.value) + str(row(env)[3])
    assert row(env)[1:3] == (False, 1)
    room.status = 200
    deliver(env.board, Settings(messenger_url=room.url), number)
    assert row(env)[1:] == (True, 2, None)
    assert room.keys == [f"guardia-{number}"] * 2


def test_without_a_webhook_the_message_waits_and_says_why(env: BoardEnv) -> None:
    deliver(env.board, Settings(), queued(env, "message"))
    assert row(env)[1:] == (False, 1, "no webhook is configured")


class _Handlers:
    def __getattr__(self, name: str) -> Callable[..., None]:
        def job(**_: object) -> None: ...

        return job


def test_the_queue_waits_as_long_as_a_channel_asks() -> None:
    app = create_engine_app("postgresql://unused", cast(JobHandlers, _Handlers()))
    strategy = app.tasks["deliver"].retry_strategy
    assert strategy is not None
    job = Job(id=1, queue="default", lock=None, queueing_lock=None, task_name="deliver", attempts=0)

    def again(error: Exception, attempts: int = 0) -> datetime | None:
        decision = strategy.get_retry_decision(exception=error, job=job.evolve(attempts=attempts))
        return decision.retry_at if decision else None

    usual, asked = again(OSError()), again(RetryLater(3000))
    assert usual is not None and asked is not None
    assert timedelta(seconds=2900) < asked - usual < timedelta(seconds=3000)
    assert again(RetryLater(3000), attempts=8) is None
