"""Signed webhook: sent to its address only, valid briefly; then the service uses the API."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from adapter_env import LOCKS, run_adapter_once
from board_env import BoardEnv
from external_agents import audit_entries
from hypothesis import given
from hypothesis import strategies as st
from page_env import page_app, serve_app
from waiting import PATIENCE

from guardia.agents.adapters import webhook_signature
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.errors import Misconfigured
from guardia.org.credential_store import FileCredentialStore

SECRET = "webhook-key-1"
Receiver = Callable[[Any, bytes], int]


@contextmanager
def receiving(answer: Receiver) -> Iterator[str]:
    """A service; `answer` sees each request and returns the status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(answer(self, body))
            self.send_header("location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    FileCredentialStore(folder).put("hook", SECRET)
    return folder


def adapter(url: str, **more: Any) -> dict[str, Any]:
    return {"kind": "http", "url": url, "secret": "hook", **more}


def post(told: dict[str, Any], path: str, body: dict[str, Any]) -> int:
    request = urllib.request.Request(
        told["api"] + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {told['token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(answer.status)


@pytest.mark.slow
def test_a_service_accepts_the_webhook_and_uses_the_api(
    env: BoardEnv, keys: Path, tmp_path: Path
) -> None:
    verified: list[bool] = []
    statuses: list[int] = []
    working: list[threading.Thread] = []

    def work(told: dict[str, Any]) -> None:
        statuses.append(post(told, "/reads", LOCKS))
        statuses.append(post(told, "/handover", {"text": "사람이 봐 주세요"}))

    def take(request: Any, body: bytes) -> int:
        moment, signed = (
            request.headers[n] for n in (webhook_signature.TIMESTAMP, webhook_signature.SIGNATURE)
        )
        verified.append(webhook_signature.verify(SECRET, moment, signed, body))
        assert SECRET.encode() not in body
        working.append(threading.Thread(target=work, args=(json.loads(body),)))
        working[0].start()
        return 202

    with serve_app(page_app(env.board)) as board_url, receiving(take) as url:
        claim, transport = run_adapter_once(env, adapter(url), board_url, tmp_path, keys, grace=0.2)
    working[0].join(PATIENCE)
    assert verified == [True] and statuses == [200, 204] and len(transport.sent) == 1
    assert view.task(env.board, claim.task_id).state is State.MANUAL
    assert audit_entries(env.board, "handed_over")[-1].detail["text"] == "사람이 봐 주세요"


@pytest.mark.slow
@pytest.mark.parametrize("status", [302, 307, 401, 500])
def test_a_rejected_webhook_leaves_the_task_to_people(
    env: BoardEnv, keys: Path, tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardia.agents.adapters.webhook._RETRY_DELAYS", (0.01, None))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[str] = []

    def take(request: Any, _body: bytes) -> int:
        seen.append(request.headers[webhook_signature.DELIVERY])
        return status

    with receiving(take) as url:
        claim, _ = run_adapter_once(env, adapter(url), "http://127.0.0.1:9", tmp_path, keys)
    assert view.task(env.board, claim.task_id).state is State.MANUAL
    # A failing service is retried with the same id; a redirect is not followed.
    assert len(seen) == (2 if status == 500 else 1) and len(set(seen)) == 1
    assert str(status) in audit_entries(env.board, "outside_ended")[0].detail["output"]


@pytest.mark.slow
def test_a_service_that_never_ends_times_out(env: BoardEnv, keys: Path, tmp_path: Path) -> None:
    with receiving(lambda *_: 202) as url:
        claim, _ = run_adapter_once(
            env, adapter(url, timeout="1s"), "http://127.0.0.1:9", tmp_path, keys
        )
    assert view.task(env.board, claim.task_id).state is State.MANUAL
    assert audit_entries(env.board, "outside_ended")[0].detail["how"] == "timeout"


@pytest.mark.slow
def test_without_a_key_nothing_is_sent(env: BoardEnv, tmp_path: Path) -> None:
    with receiving(lambda *_: pytest.fail("it was sent")) as url:
        run_adapter_once(env, adapter(url), "http://127.0.0.1:9", tmp_path, tmp_path / "empty")
    ended = audit_entries(env.board, "outside_ended")[0].detail
    assert ended["how"] == "failed" and "hook" in ended["output"]
    assert Misconfigured.__name__ not in ended["output"]


@given(st.binary(max_size=200), st.integers(0, 2**33), st.integers(-900, 900))
def test_only_a_recent_signature_is_valid(body: bytes, moment: int, late: int) -> None:
    signed = webhook_signature.sign(SECRET, moment, body)
    fresh = abs(late) <= webhook_signature.MAX_AGE
    assert webhook_signature.verify(SECRET, str(moment), signed, body, moment + late) == fresh
    assert not webhook_signature.verify(SECRET, str(moment), signed, body + b"x", moment)
    assert not webhook_signature.verify("another", str(moment), signed, body, moment)
    assert not webhook_signature.verify(SECRET, str(moment + 1), signed, body, moment)
    assert not webhook_signature.verify(SECRET, f"{moment}.0", signed, body, moment)
