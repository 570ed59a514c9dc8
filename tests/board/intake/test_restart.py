"""The board is killed in a stream of events whose senders repeat what was not answered."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from board_env import BoardEnv
from limited_board import limited_board
from slack_server import SECRET, signed
from sqlalchemy import text
from waiting import PATIENCE, wait_until

TOKEN = "restart"
SETTINGS = {
    "messenger_token": TOKEN,
    "slack_signing_secret": SECRET,
    "requests_per_room": "1000000",
}
BEFORE, AFTER = 12, 12
"""Answered events of each sender before the board is killed and after it is back."""
Post = tuple[str, str, dict[str, str]]


def mattermost(number: int) -> Post:
    body = {
        "token": TOKEN, "post_id": f"p{number}", "channel_name": "ops",
        "user_id": f"u{number}", "user_name": "kim", "text": wording("mattermost", number),
    }  # fmt: skip
    return "/intake/mattermost", json.dumps(body), {"content-type": "application/json"}


def slack(number: int) -> Post:
    event = {
        "type": "message", "user": f"U{number}", "text": wording("slack", number),
        "channel": "C1", "ts": f"1.{number:06}",
    }  # fmt: skip
    body = {"type": "event_callback", "event_id": f"Ev{number}", "event": event}
    request = signed("/intake/slack/events", json.dumps(body), "application/json")
    return request.path, request.body, request.headers


def wording(sender: str, number: int) -> str:
    return f"기재부 운영DB 쿼리가 너무 느려요 {sender} {number}"


@dataclass
class Sender:
    """Sends one event after the other, each until it is answered with 2xx."""

    make: Callable[[int], Post]
    sites: list[str]
    """Addresses of the board; the last one is the present one."""
    ending: threading.Event
    answered: list[int] = field(default_factory=list)
    repeated: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        with httpx.Client(timeout=PATIENCE) as client:
            for number in itertools.count(1):
                if self.ending.is_set() or not self._deliver(client, number):
                    return
                self.answered.append(number)

    def _deliver(self, client: httpx.Client, number: int) -> bool:
        """Send an event until it is answered. Slack repeats some that are, too."""
        path, body, headers = self.make(number)
        left = 2 if number % 5 == 0 else 1
        while left:
            try:
                url = self.sites[-1] + path
                found = client.post(url, content=body.encode(), headers=headers)
                left -= found.is_success
            except httpx.HTTPError:
                self.repeated[number] += 1
                if self.ending.wait(0.05):
                    return False
        return True


@contextmanager
def sending(senders: list[Sender]) -> Iterator[None]:
    threads = [threading.Thread(target=sender.run) for sender in senders]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        senders[0].ending.set()
        for thread in threads:
            thread.join()


def bodies(env: BoardEnv) -> Counter[str]:
    with env.board.database.reading() as session:
        return Counter(session.scalars(text("select body from tb_sr_request")))


@pytest.mark.slow
def test_every_answered_event_is_there_once_after_a_kill(env: BoardEnv, database: Any) -> None:
    sites: list[str] = []
    ending = threading.Event()
    senders = [Sender(make, sites, ending) for make in (mattermost, slack)]
    with limited_board(database.app, **SETTINGS) as (first, pid, _):
        assert httpx.get(f"{first}/healthz", timeout=PATIENCE).is_success
        sites.append(first)
        with sending(senders):
            assert wait_until(lambda: all(len(s.answered) >= BEFORE for s in senders))
            os.kill(pid, signal.SIGKILL)
            assert wait_until(lambda: all(s.repeated for s in senders))
            with limited_board(database.app, **SETTINGS) as (second, _, _):
                assert httpx.get(f"{second}/healthz", timeout=PATIENCE).is_success
                seen = [len(s.answered) for s in senders]
                sites.append(second)
                pairs = list(zip(senders, seen, strict=True))
                assert wait_until(
                    lambda: all(len(s.answered) >= before + AFTER for s, before in pairs)
                )
                ending.set()
    found = bodies(env)
    names = ("mattermost", "slack")
    answered = {
        wording(name, number)
        for name, sender in zip(names, senders, strict=True)
        for number in sender.answered
    }
    assert {body: found[body] for body in answered} == dict.fromkeys(answered, 1)
    assert not {body: count for body, count in found.items() if count > 1}
