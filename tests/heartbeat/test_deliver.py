from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv

from guardia.board.core import outbox
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings


class Room(ThreadingHTTPServer):
    """A messenger's incoming webhook that answers ``status`` and keeps what it was told."""

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

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def room() -> Iterator[Room]:
    with Room() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def queued(cast: BoardEnv, kind: str) -> int:
    with cast.desk.database.transaction() as session:
        outbox.send(session, kind, "SR-1 처리 완료", cast.desk.clock(), room="방", sr_id=1)
    return int(row(cast)[0])


def row(cast: BoardEnv) -> tuple[Any, ...]:
    query = "select outbox_id, delivered_at is not null, attempts, last_error from tb_outbox"
    with psycopg.connect(cast.dsn) as connection:
        found = connection.execute(f"{query} order by outbox_id desc limit 1").fetchone()
    assert found is not None
    return found


def test_a_message_leaves_once_in_the_messengers_own_form(cast: BoardEnv, room: Room) -> None:
    number = queued(cast, "message")
    settings = Settings(messenger_url=room.url)
    deliver(cast.desk, settings, number)
    deliver(cast.desk, settings, number)
    assert room.posts == [
        {"username": "GUARDiA", "text": "SR-1 처리 완료", "channel": "방", "props": {"sr_id": 1}}
    ]
    assert row(cast)[1:] == (True, 1, None)


def test_an_alert_goes_to_the_alert_webhook(cast: BoardEnv, room: Room) -> None:
    deliver(cast.desk, Settings(alert_url=room.url), queued(cast, "alert"))
    assert len(room.posts) == 1


def test_a_refusal_is_kept_without_the_address_and_tried_again(cast: BoardEnv, room: Room) -> None:
    room.status = 503
    number = queued(cast, "message")
    with pytest.raises(OSError) as raised:
        deliver(cast.desk, Settings(messenger_url=room.url), number)
    assert "secret-token" not in str(raised.value) + str(row(cast)[3])
    assert row(cast)[1:3] == (False, 1)
    room.status = 200
    deliver(cast.desk, Settings(messenger_url=room.url), number)
    assert row(cast)[1:] == (True, 2, None)
    assert room.keys == [f"guardia-{number}"] * 2


def test_without_a_webhook_the_message_waits_and_says_why(cast: BoardEnv) -> None:
    deliver(cast.desk, Settings(), queued(cast, "message"))
    assert row(cast)[1:] == (False, 1, "no webhook is configured")
