"""Promises of the channel registry; one file and one line add a channel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from starlette.testclient import TestClient

from guardia.board.intake import registry, routes
from guardia.board.intake.channels import Channel, Endpoint, InboundReply
from guardia.board.notifications.delivery import OutboundMessage
from guardia.board.site import permissions
from guardia.i18n import LANGUAGES, catalogue
from guardia.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PAGER = Path(__file__).with_name("cases") / "pager.py"
SUPPORT = ROOT / "tests" / "support"
PACKAGES = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat")


def broken_promises(channels: Sequence[Channel]) -> list[str]:
    """Return every promise that a registered channel breaks, as `channel: promise`."""
    api = (ROOT / "docs" / "api.md").read_text("utf-8")
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    names, paths = (
        Counter(c.name for c in channels),
        Counter(p for c in channels for p in c.endpoints),
    )
    broken = []
    for channel in channels:
        promises = {
            "unique name": names[channel.name] == 1,
            "unique paths": all(paths[path] == 1 for path in channel.endpoints),
            "paths below /intake/": all(p.startswith("/intake/") for p in channel.endpoints),
            "permission rule": all(
                permissions.ROUTES.get(("POST", path)) == permissions.PUBLIC
                for path in channel.endpoints
            ),
            "documented channel": bool(
                re.search(rf"^##+ .*\b{channel.name}\b", f"{api}\n{operations}", re.I | re.M)
            ),
            "documented endpoints": all(f"`POST {path}`" in api for path in channel.endpoints),
            "existing settings": set(channel.settings) <= set(Settings.model_fields),
            "documented settings": all(
                f"`GUARDIA_{name.upper()}`" in operations for name in channel.settings
            ),
            "name in both languages": all(
                channel.name in catalogue(code, "web")["channel"] for code in LANGUAGES
            ),
        }
        broken += [f"{channel.name}: {promise}" for promise, kept in promises.items() if not kept]
    return broken


def test_every_channel_keeps_the_promises_of_the_registry() -> None:
    assert registry.CHANNELS
    assert broken_promises(registry.CHANNELS) == []


@dataclass(frozen=True)
class Careless:
    """A channel without rule, documentation, settings and name."""

    name: str = "careless"
    settings: tuple[str, ...] = ("careless_key",)
    paths: tuple[str, ...] = ("/careless",)

    @property
    def endpoints(self) -> Mapping[str, Endpoint[None]]:
        """Return endpoints that accept every sender."""
        open_to_all = Endpoint[None]("", lambda *_: None, lambda *_: InboundReply())
        return dict.fromkeys(self.paths, open_to_all)

    def send(self, *_: object) -> None:
        """Send nothing."""


def test_every_broken_promise_is_found() -> None:
    careless = Careless()
    assert broken_promises([careless]) == [
        f"careless: {promise}"
        for promise in (
            "paths below /intake/",
            "permission rule",
            "documented channel",
            "documented endpoints",
            "existing settings",
            "documented settings",
            "name in both languages",
        )
    ]
    assert {"careless: unique name", "careless: unique paths"} <= set(
        broken_promises([careless, replace(careless)])
    )


@pytest.mark.parametrize(
    "path", [path for channel in registry.CHANNELS for path in channel.endpoints]
)
@pytest.mark.slow
def test_every_endpoint_refuses_a_sender_without_proof(env: BoardEnv, path: str) -> None:
    app = FastAPI()
    app.include_router(routes.router(env.board, Settings(messenger_token="열쇠")))  # type: ignore[arg-type]
    client = TestClient(app)
    for kind in ("application/json", "application/x-www-form-urlencoded", ""):
        for body in (b"", b"{}", b"[]", b'{"token": "", "post_id": "1", "text": "x"}', b"\xff"):
            answer = client.post(path, content=body, headers={"content-type": kind})
            assert answer.status_code in {400, 401, 422}, (kind, body)
    with psycopg.connect(env.dsn) as connection:
        assert connection.execute("select 1 from tb_msg_chat_log").fetchone() is None


@pytest.mark.parametrize(
    ("kind", "channel", "sender"),
    [
        ("message", "mattermost", "mattermost"),
        ("message", "pager", "pager"),
        # Replies without a registered channel, and all alerts, go out through the first channel.
        ("message", "web", "mattermost"),
        ("message", "", "mattermost"),
        ("message", "alertmanager", "mattermost"),
        ("alert", "pager", "mattermost"),
    ],
)
def test_a_message_leaves_through_its_issues_channel(
    monkeypatch: pytest.MonkeyPatch, kind: str, channel: str, sender: str
) -> None:
    monkeypatch.setattr(registry, "CHANNELS", (*registry.CHANNELS, Careless(name="pager")))
    message = OutboundMessage(kind, "방", "본문", 1, channel)
    assert registry.sender_of(message).name == sender


# --- a second channel: its file, its line in the registry, its settings ------------------------


class Gateway(ThreadingHTTPServer):
    """The webhooks of the pager and of the messenger."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.posts: list[tuple[str, dict[str, Any], str]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Hook(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posts.append((self.path, body, self.headers["idempotency-key"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def product_with_pager(tmp_path: Path) -> Path:
    """Return a copy of the product with the pager channel added."""
    leave_out = shutil.ignore_patterns("__pycache__", "vendor", "node_modules")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=leave_out)
    shutil.copytree(ROOT / "src", tmp_path / "src", symlinks=True, ignore=leave_out)
    for name in ("org_chart.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copy(PAGER, tmp_path / "board" / "intake")
    add(
        tmp_path / "board" / "intake" / "registry.py",
        ("    MattermostChannel(),\n", "    PagerChannel(),\n"),
        ("import MattermostChannel\n", "from guardia.board.intake.pager import PagerChannel\n"),
    )
    add(
        tmp_path / "src" / "guardia" / "settings.py",
        (
            'extra="ignore")\n',
            "    pager_key: SecretStr | None = None\n    pager_url: SecretStr | None = None\n",
        ),
    )
    return tmp_path


def add(path: Path, *additions: tuple[str, str]) -> None:
    """Insert each addition after its anchor, which occurs once in the file."""
    text = path.read_text("utf-8")
    for anchor, addition in additions:
        assert text.count(anchor) == 1, anchor
        text = text.replace(anchor, anchor + addition)
    path.write_text(text, "utf-8")


@pytest.mark.slow
def test_one_file_and_one_line_add_a_channel(
    env: BoardEnv, gateway: Gateway, product_with_pager: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{product_with_pager / 'src'}:{SUPPORT}",
        "GUARDIA_PAGER_KEY": "열쇠",
        "GUARDIA_PAGER_URL": gateway.url("/pager"),
        "GUARDIA_MESSENGER_URL": gateway.url("/replies"),
        "GUARDIA_ALERT_URL": gateway.url("/alerts"),
    }
    command = [sys.executable, SUPPORT / "pager_run.py", env.dsn]
    ended = subprocess.run(
        command,
        env=environment,
        cwd=product_with_pager,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    first, again, forged, *malformed, large = found["answers"]
    assert first == again == [202, {"issue": 1}]
    assert forged[0] == 401 and forged[1]["message"] == "서명이 맞지 않습니다."
    assert [status for status, _ in malformed] == [400, 422]
    assert large[0] == 413
    assert found["described"]
    # A reply goes to the issue's own channel; other messages leave as before.
    assert [(path, key) for path, _, key in gateway.posts] == [
        ("/pager", "guardia-1"),
        ("/alerts", "guardia-2"),
        ("/replies", "guardia-3"),
    ]
    assert gateway.posts[0][1] == {"to": "7", "beep": "message 본문"}
    assert gateway.posts[1][1]["username"] == "GUARDiA"
