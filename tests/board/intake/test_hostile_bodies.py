"""Endpoints of all channels with any bytes: each answers with 2xx or 4xx."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from board_env import BoardEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_env import page_app
from slack_server import SECRET, signed
from starlette.testclient import TestClient

from guardia.board.core.context import utc_now
from guardia.board.intake import button_token, registry
from guardia.board.intake.presses import LIFETIME

TOKEN = "열쇠"
JSON_TYPE = "application/json"
FORM = "application/x-www-form-urlencoded"
TYPES = (JSON_TYPE, FORM, "multipart/form-data", "multipart/form-data; boundary=b", "text/x;;=", "")
ENDPOINTS = [path for channel in registry.CHANNELS for path in channel.endpoints]

WORDS = st.text(max_size=40) | st.sampled_from(
    ["정지", "\x00", "\ud800", "연결 2345-6789", "SR-" + "9" * 30 + " 승인", "가" * 9000, "1.1"]
)
HOSTILE = st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | WORDS
VALUES = st.recursive(
    HOSTILE,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


def fields(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects in which some of the fields have any value."""
    plausible = st.fixed_dictionaries(dict.fromkeys(names, WORDS))
    return plausible | st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES))


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def client(env: BoardEnv) -> Iterator[TestClient]:
    more = {"slack_signing_secret": SECRET, "jandi_token": TOKEN, "mattermost_url": "http://x"}
    app = page_app(env.board, **more)
    with TestClient(app, raise_server_exceptions=False) as found:
        yield found


def post(client: TestClient, path: str, body: bytes, headers: dict[str, str]) -> None:
    answer = client.post(path, content=body, headers=headers)
    assert 200 <= answer.status_code < 300 or 400 <= answer.status_code < 500, answer.status_code


QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@given(
    path=st.sampled_from(ENDPOINTS),
    kind=st.sampled_from(TYPES),
    body=st.binary(max_size=200) | VALUES.map(as_json),
)
@QUICK
def test_unproved_bytes(client: TestClient, path: str, kind: str, body: bytes) -> None:
    post(client, path, body, {"content-type": kind})


def press(act: str = "offer", value: str = "1") -> str:
    return button_token.create(TOKEN, "mattermost", act, value, utc_now() + LIFETIME)


WHO = json.dumps({"id": "1", "user": "u", "name": "n", "room": "r"})
PROVED: dict[str, tuple[st.SearchStrategy[dict[str, Any]], dict[str, Any]]] = {
    "/intake/mattermost": (
        fields("post_id", "channel_name", "user_id", "user_name", "text", "trigger_word"),
        {"token": TOKEN},
    ),
    "/intake/mattermost/actions": (
        fields("user_id", "user_name", "channel_name"),
        {"context": {"ticket": press()}},
    ),
    "/intake/mattermost/command": (
        fields("channel_name", "user_id", "user_name", "command", "text", "trigger_id"),
        {"token": TOKEN},
    ),
    "/intake/mattermost/form": (
        fields("cancelled", "submission"),
        {"state": press("form", WHO), "user_id": "u"},
    ),
    "/intake/jandi": (
        fields("roomName", "writerName", "writerEmail", "writer", "text", "data", "createdAt"),
        {"token": TOKEN},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", PROVED)
@given(data=st.data())
@QUICK
def test_proved_fields(client: TestClient, path: str, data: st.DataObject) -> None:
    strategy, proof = PROVED[path]
    body = {**data.draw(strategy), **proof}
    post(client, path, as_json(body), {"content-type": JSON_TYPE})
    flat = {k: v for k, v in body.items() if isinstance(v, str)}
    form = urlencode({k: v.encode("utf-8", "replace") for k, v in flat.items()})
    post(client, path, form.encode(), {"content-type": FORM})


EVENT = fields("type", "subtype", "user", "bot_id", "text", "channel", "ts", "thread_ts")
SLACK: dict[str, Callable[[st.DataObject], tuple[str, str]]] = {
    "/intake/slack/events": lambda data: (
        json.dumps(
            {
                "type": data.draw(st.sampled_from(["event_callback", "url_verification"]) | VALUES),
                "event": data.draw(EVENT.map(lambda e: {"type": "message", **e}) | VALUES),
                **data.draw(fields("event_id", "challenge", "authorizations")),
            }
        ),
        JSON_TYPE,
    ),
    "/intake/slack/commands": lambda data: (
        urlencode(
            {
                k: str(v).encode("utf-8", "replace")
                for k, v in data.draw(
                    fields("text", "channel_id", "user_id", "user_name", "command", "trigger_id")
                ).items()
            }
        ),
        FORM,
    ),
    "/intake/slack/actions": lambda data: (
        urlencode(
            {
                "payload": json.dumps(
                    data.draw(
                        fields("type", "user", "channel", "container", "actions", "response_url")
                        | VALUES
                    )
                )
            }
        ),
        FORM,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", SLACK)
@given(data=st.data())
@QUICK
def test_signed_requests(client: TestClient, path: str, data: st.DataObject) -> None:
    body, kind = SLACK[path](data)
    request = signed(path, body, kind)
    post(client, path, body.encode(), request.headers)


def test_every_endpoint_is_tried_with_proof() -> None:
    own = {p for p in ENDPOINTS if p.split("/")[2] in {"mattermost", "slack", "jandi"}}
    assert own == {*PROVED, *SLACK}
