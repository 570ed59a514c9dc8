"""The messenger accepts webhooks as Mattermost does and keeps the posts."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from run_coroutine import run_in_own_loop
from waiting import PATIENCE

from guardia.tools.lab.messenger import Messenger, read_posts
from guardia.tools.lab.running_fleet import RunningFleet


def post(url: str, body: bytes, kind: str = "application/json") -> tuple[int, str]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_post_is_accepted_and_kept(fleet: RunningFleet) -> None:
    content = {"text": "처리했습니다", "channel": "기재부-운영", "props": {"sr_id": 901}}
    assert post(fleet.messenger_url, json.dumps(content).encode()) == (200, "ok")
    kept = fleet.posts("message")[-1]
    assert {name: kept[name] for name in content} == content
    assert fleet.was_notified(901, "message")
    assert not fleet.was_notified(901, "alert", within=0)


def test_alerts_are_kept_separately(fleet: RunningFleet) -> None:
    assert post(fleet.alert_url, b'{"text": "FAILED", "props": {"sr_id": 902}}') == (200, "ok")
    assert fleet.was_notified(902, "alert")
    assert not fleet.was_notified(902, "message", within=0)


def test_a_form_with_a_payload_is_accepted(fleet: RunningFleet) -> None:
    body = urllib.parse.urlencode({"payload": '{"text": "form"}'}).encode()
    kind = "application/x-www-form-urlencoded"
    assert post(fleet.messenger_url, body, kind) == (200, "ok")
    assert fleet.posts("message")[-1]["text"] == "form"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/hooks/wrong", b'{"text": "x"}', "403"),
        ("POST", "/hooks/", b'{"text": "x"}', "403"),
        ("POST", "/", b'{"text": "x"}', "404"),
        ("POST", "/hooks/secret/more", b'{"text": "x"}', "404"),
        ("GET", "/hooks/secret", b"", "405"),
        ("POST", "/hooks/secret", b"not json", "400"),
        ("POST", "/hooks/secret", b"[1]", "400"),
        ("POST", "/hooks/secret", b"\xff", "400"),
        ("POST", "/hooks/secret", b"{}", "400"),
    ],
)
def test_an_invalid_post_is_rejected_and_not_kept(
    tmp_path: Path, method: str, path: str, body: bytes, status: str
) -> None:
    messenger = Messenger(tmp_path, "secret")
    assert messenger.receive(method, path, "application/json", body).status.startswith(status)
    assert read_posts(messenger.messages) == []


@pytest.mark.parametrize(
    "request_text",
    [
        b"nonsense\r\n\r\n",
        b"POST /hooks/secret HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_it_survives_broken_requests(tmp_path: Path, request_text: bytes) -> None:
    async def live() -> Any:
        messenger = Messenger(tmp_path, "secret")
        server = await messenger.serve(0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_text)
        await reader.read()
        writer.close()
        answer = await asyncio.to_thread(post, messenger.url(port, "hooks"), b'{"text": "after"}')
        server.close()
        return answer

    assert run_in_own_loop(live()) == (200, "ok")
