"""Use the planted pager channel in a copy of the product: `pager_run.py DSN`.

Prints as JSON the board's answers to a page, to the same page again and to forged ones.
"""

from __future__ import annotations

import hmac
import json
import sys

import httpx
import psycopg
from board_env import BoardEnv, open_env
from page_env import page_app, serve_app
from waiting import PATIENCE

from guardia.board.core import outbox
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings

PAGE = json.dumps({"number": "n1", "text": "기재부 운영DB가 느려요"}).encode()


def post(address: str, body: bytes, key: str) -> list[object]:
    """Post a page signed with `key`; return status and JSON of the answer."""
    signature = hmac.new(key.encode(), body, "sha256").hexdigest()
    headers = {"x-pager-signature": signature, "content-type": "application/json"}
    answer = httpx.post(f"{address}/intake/pager", content=body, headers=headers, timeout=PATIENCE)
    return [answer.status_code, answer.json()]


def send(env: BoardEnv, kind: str, sr_id: int) -> None:
    """Put a message about an issue into the outbox and deliver it."""
    with env.board.database.transaction() as session:
        outbox.send(session, kind, f"{kind} 본문", env.board.clock(), room="7", sr_id=sr_id)
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute("select max(outbox_id) from tb_outbox").fetchone()
    assert found is not None
    deliver(env.board, Settings(), found[0])


def main(dsn: str) -> None:
    with open_env(dsn) as env:
        with serve_app(page_app(env.board)) as address:
            answers = [
                post(address, PAGE, "열쇠"),
                post(address, PAGE, "열쇠"),
                post(address, PAGE, "다른 열쇠"),
                post(address, b"[]", "열쇠"),
                post(address, b'{"number": "n2"}', "열쇠"),
                post(address, b" " * 70_000, "열쇠"),
            ]
            paths = httpx.get(f"{address}/openapi.json", timeout=PATIENCE).json()["paths"]
        other = env.create_issue(channel="mattermost")
        for kind, sr_id in (("message", 1), ("alert", 1), ("message", other)):
            send(env, kind, sr_id)
    print(json.dumps({"answers": answers, "described": "/intake/pager" in paths}))


if __name__ == "__main__":
    main(sys.argv[1])
