from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from guardia.board.audit.canonical import clean
from guardia.board.control import kill_switch
from guardia.board.intake import routes
from guardia.board.web.body_limits import BodyLimitMiddleware
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

POST = {
    "token": "열쇠",
    "post_id": "p1",
    "channel_name": "기재부-운영",
    "user_name": "장하늘",
    "text": "기재부 운영DB 쿼리가 너무 느려요",
}


def client(env: BoardEnv, token: str | None = "열쇠") -> TestClient:
    app = FastAPI()
    app.add_middleware(BodyLimitMiddleware)
    app.include_router(routes.router(env.board, Settings(messenger_token=token)))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def room(env: BoardEnv) -> Iterator[TestClient]:
    with client(env) as found:
        yield found


def counts(env: BoardEnv) -> tuple[int, int]:
    query = "select (select count(*) from tb_msg_chat_log), (select count(*) from tb_sr_request)"
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute(query).fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_a_post_becomes_a_chat_line_and_an_issue(
    env: BoardEnv, room: TestClient, form: bool
) -> None:
    answer = room.post("/intake/mattermost", **({"data": POST} if form else {"json": POST}))
    assert answer.status_code == 200
    assert answer.json()["text"].startswith("SR-1로 접수했습니다")
    assert counts(env) == (1, 1)


def test_a_repeated_post_gets_the_same_answer_and_opens_nothing(
    env: BoardEnv, room: TestClient
) -> None:
    answers = {room.post("/intake/mattermost", json=POST).text for _ in range(3)}
    assert len(answers) == 1
    assert counts(env) == (1, 1)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": "다른 열쇠"}, 401),
        ({"token": ""}, 401),
        ({"text": ""}, 422),
        ({"post_id": ""}, 422),
        ({"post_id": "x" * 65}, 422),
        ({"text": "가" * 20_000}, 422),
        ({"token": None}, 422),
    ],
)
def test_invalid_posts_are_refused_without_a_trace(
    env: BoardEnv, room: TestClient, change: dict[str, Any], status: int
) -> None:
    answer = room.post("/intake/mattermost", json={**POST, **change})
    assert answer.status_code == status
    assert counts(env) == (0, 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'"text"'])
def test_a_body_that_is_not_an_object_is_refused(room: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert room.post("/intake/mattermost", content=body, headers=headers).status_code == 400


def test_a_large_body_is_refused(room: TestClient) -> None:
    headers = {"content-type": "application/json"}
    large = b"{" + b" " * 70_000 + b"}"
    assert room.post("/intake/mattermost", content=large, headers=headers).status_code == 413


def test_without_a_configured_token_the_channel_is_closed(env: BoardEnv) -> None:
    assert client(env, None).post("/intake/mattermost", json=POST).status_code == 401


@pytest.mark.slow
@given(text=st.text(min_size=1, max_size=200))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_it(room: TestClient, text: str) -> None:
    post = {**POST, "post_id": str(hash(text)), "text": text}
    answer = room.post("/intake/mattermost", json=post)
    # The channel accepts any text; the board refuses a request of blanks only.
    assert answer.status_code == 200 or not clean(text).strip()


def test_a_stop_line_stops_again_after_the_switch_was_released(
    env: BoardEnv, room: TestClient
) -> None:
    """Also the very same post: it says that it is stopped already only while it is."""

    def said(post: str) -> str:
        body = {**POST, "post_id": post, "text": "정지"}
        return str(room.post("/intake/mattermost", json=body).json()["text"])

    assert said("s1").startswith("전체 정지했습니다")
    assert said("s1") == said("s2") == "이미 전체 정지 상태입니다."
    officer = PersonInfo(id="sec", name="보안", title="관", role="security_officer")
    for post in ("s1", "s2", "s3"):
        kill_switch.release(env.board, officer, "점검을 마쳤습니다")
        assert said(post).startswith("전체 정지했습니다")
        assert said(post) == "이미 전체 정지 상태입니다."
