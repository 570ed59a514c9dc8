"""Slash commands, forms and buttons under replies, as Mattermost's server handles them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, BoardEnv
from mattermost_server import Mattermost, MattermostApi, RoomMessage, mattermost_api
from page_env import page_app
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings

REQUEST = "기재부 운영DB 쿼리가 너무 느려요"


@pytest.fixture
def api() -> Iterator[MattermostApi]:
    with mattermost_api() as found:
        yield found


@pytest.fixture
def room(env: BoardEnv, api: MattermostApi) -> Iterator[Mattermost]:
    with TestClient(page_app(env.board, mattermost_url=api.address)) as client:
        yield Mattermost(client)


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def deliver_all(env: BoardEnv, api: MattermostApi) -> None:
    settings = Settings(
        messenger_token="열쇠",  # type: ignore[arg-type]
        messenger_url=f"{api.address}/hooks/x",  # type: ignore[arg-type]
        mattermost_url=api.address,
    )
    for (number,) in rows(
        env, "select outbox_id from tb_outbox where delivered_at is null order by 1"
    ):
        deliver(env.board, settings, number)


def opened_form(env: BoardEnv, room: Mattermost, api: MattermostApi) -> dict[str, Any]:
    said = room.command("새 요청")
    assert said == {"response_type": "ephemeral", "text": "입력 화면을 엽니다."}
    deliver_all(env, api)
    return api.opened[-1]


def test_a_slash_command_is_a_request_in_every_room(env: BoardEnv, room: Mattermost) -> None:
    said = [room.command(REQUEST, trigger_id="same") for _ in range(2)]
    assert said[0] == said[1]
    assert said[0]["response_type"] == "ephemeral" and said[0]["text"].startswith("SR-1로")
    assert rows(env, "select body, room, requester_account from tb_sr_request") == [
        (REQUEST, "ops-talk", "mattermost:u-kim")
    ]
    assert room.command(" ")["text"].startswith("요청할 내용을")
    assert room.command("정지")["text"].startswith("전체 정지했습니다")
    answer = room.client.post("/intake/mattermost/command", data={"token": "x", "text": "정지"})
    assert answer.status_code == 401
    fields = {"token": "x", "user_id": "u", "trigger_id": "t", "text": "정지"}
    assert room.client.post("/intake/mattermost/command", data=fields).status_code == 401


def test_a_form_opens_and_becomes_an_issue_with_title_text_and_server(
    env: BoardEnv, room: Mattermost, api: MattermostApi
) -> None:
    messenger_links.link(env.board, Actor.operator("test"), CUSTOMER.id, "mattermost", "u-kim")
    form = opened_form(env, room, api)
    (server,) = (e for e in form["dialog"]["elements"] if e["name"] == "server")
    names = [option["value"] for option in server["options"]]
    # A customer chooses among the servers of the own institution.
    assert names and all(name.startswith("MOF-") for name in names)
    fields = {"title": "운영DB 지연", "body": "어제부터 느려요", "server": names[0]}
    for _ in range(2):
        answer = room.submit(form, fields)
        assert (answer.status_code, answer.json()) == (200, {})
    deliver_all(env, api)
    query = "select requester_id, title, body, room from tb_sr_request"
    body = f"어제부터 느려요\n대상 서버: {names[0]}"
    assert rows(env, query) == [(CUSTOMER.id, "운영DB 지연", body, "ops-talk")]
    (post,) = api.posts
    assert post["channel"] == "ops-talk" and post["text"].startswith("SR-1로 접수했습니다")


def test_a_form_says_what_is_missing_and_can_be_cancelled(
    env: BoardEnv, room: Mattermost, api: MattermostApi
) -> None:
    form = opened_form(env, room, api)
    assert all(e["name"] != "server" for e in form["dialog"]["elements"])
    for empty in ({}, {"title": None, "body": " "}):
        assert "body" in room.submit(form, empty).json()["errors"]
    assert room.submit(form, None).json() == {}
    assert rows(env, "select 1 from tb_sr_request") == []
    assert room.submit(form, {"title": "제목뿐", "body": None}).json() == {}
    assert rows(env, "select title, body from tb_sr_request") == [("제목뿐", "제목뿐")]


def test_a_forged_form_opens_nothing(env: BoardEnv, room: Mattermost, api: MattermostApi) -> None:
    form, fields = opened_form(env, room, api), {"title": "제목", "body": "본문"}
    assert room.submit(form, fields, user="lee").status_code == 401
    for state in ("", None, 7, form["dialog"]["state"][:-1], "v2.form.e30=.1.x"):
        assert room.submit(form, fields, state=state).status_code == 401
    offer = room.post("WAS 디스크 꽉 찼어요", "ops-talk")
    assert offer is not None
    button = offer.buttons[0]["integration"]["context"]["ticket"]
    assert room.submit(form, fields, state=button).status_code == 401
    assert rows(env, "select 1 from tb_sr_request") == []
    assert room.submit(form, {"body": 7}).status_code == 422
    assert room.submit(form, {"body": "가" * 3001}).status_code == 422


def test_a_form_that_is_too_late_is_not_tried_again(
    env: BoardEnv, room: Mattermost, api: MattermostApi
) -> None:
    room.command("새요청", trigger_id="expired")
    deliver_all(env, api)
    found = rows(env, "select delivered_at, last_error from tb_outbox")
    assert found == [(None, "Mattermost does not open the form (400)")]


def test_without_the_servers_address_there_is_no_form(env: BoardEnv) -> None:
    with TestClient(page_app(env.board)) as client:
        said = Mattermost(client).command("새 요청")
        assert said["text"].startswith("요청할 내용을") and "화면" not in said["text"]


def test_a_reply_shows_its_choices_as_buttons(
    env: BoardEnv, room: Mattermost, api: MattermostApi
) -> None:
    sr_id = env.create_issue(channel="mattermost", room="ops-talk")
    choices = (Choice("unknown", "1", "와스 1호기"), Choice("unknown", "2", "와스 2호기"))
    with env.board.database.transaction() as session:
        issue = session.get(outbox.Issue, sr_id)
        assert issue is not None
        outbox.reply_to_room(session, issue, "어느 서버인가요?", env.board.clock(), choices=choices)
    deliver_all(env, api)
    (post,) = api.posts
    message = RoomMessage(post.get("text", ""), {"attachments": post["attachments"]})
    assert [b["name"] for b in message.buttons] == ["와스 1호기", "와스 2호기"]
    assert post["attachments"][0]["text"] == "어느 서버인가요?"
    room.press(message)
    assert room.ephemeral_messages == [
        ("lee", "더 이상 지원하지 않는 버튼입니다. 필요하면 GUARDiA를 호출하여 다시 요청해 주세요.")
    ]
