"""Chat line, button and issue, through the whole application and as Mattermost sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, BoardEnv
from mattermost_server import SITE, ActionFailed, Mattermost, RoomMessage
from page_env import page_app
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links
from guardia.board.core.actors import Actor
from guardia.board.intake import button_token, mattermost_buttons
from guardia.board.organization import chart as organization_chart
from guardia.org import chart
from guardia.settings import Settings

TALK = "ops-talk"
FIRES = "WAS 디스크 꽉 찼어요 **굵게** @all [눌러](http://x)"


@pytest.fixture
def room(env: BoardEnv) -> Iterator[Mattermost]:
    with TestClient(page_app(env.board, public_origin=f"{SITE}/")) as client:
        yield Mattermost(client)


def offered(room: Mattermost) -> RoomMessage:
    message = room.post(FIRES, TALK)
    assert message is not None and message.buttons
    return message


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def issues(env: BoardEnv) -> int:
    return int(rows(env, "select count(*) from tb_sr_request")[0][0])


def test_chat_is_answered_only_if_a_rule_matches(env: BoardEnv, room: Mattermost) -> None:
    assert room.post("점심 뭐 먹죠", TALK) is None
    message = offered(room)
    (button,) = message.buttons
    assert (
        button["name"] == "즉시 확인"
        and button["integration"]["url"] == SITE + mattermost_buttons.PATH
    )
    (shown,) = message.props["attachments"]
    assert "디스크 용량 부족" in shown["text"] and shown["fallback"] == shown["text"]
    # The reply quotes no part of the line, so the line cannot act through it.
    assert not any(part in str(message.props) for part in ("굵게", "@all", "http://x"))
    assert room.post("디스크 진짜 꽉 찼네", TALK) is None
    assert issues(env) == 0


def test_pressing_opens_the_issue_once_and_replaces_the_message(
    env: BoardEnv, room: Mattermost
) -> None:
    messenger_links.link(env.board, Actor.operator("test"), CUSTOMER.id, "mattermost", "u-lee")
    message = offered(room)
    same = RoomMessage(message.text, dict(message.props))
    room.press(message, "lee")
    assert message.text.startswith("SR-1로 접수했습니다.") and not message.buttons
    query = "select requester_id, requester_name, room, category, body from tb_sr_request"
    assert rows(env, query) == [(CUSTOMER.id, "lee", TALK, "STORAGE", FIRES)]
    assert room.ephemeral_messages == []
    room.press(same, "park")
    assert same.text == message.text and not same.buttons
    assert room.ephemeral_messages == [("park", "이미 SR-1로 접수되어 있습니다.")]
    assert issues(env) == 1


def test_an_outdated_offer_says_so_and_loses_its_button(env: BoardEnv, room: Mattermost) -> None:
    gone, late = offered(room), RoomMessage("", {})
    now = datetime.now(UTC)
    lost = button_token.create("열쇠", "mattermost", "offer", "99", now + timedelta(hours=1))
    room.press(gone, "choi", context={"ticket": lost})
    assert gone.buttons and "찾을 수 없습니다" in room.ephemeral_messages[0][1]
    past = now - timedelta(minutes=1)
    late.props = {"attachments": [{"actions": [dict(gone.buttons[0])]}]}
    sealed = button_token.create("열쇠", "mattermost", "offer", "1", past)
    late.buttons[0]["integration"] = {
        "url": SITE + mattermost_buttons.PATH,
        "context": {"ticket": sealed},
    }
    room.press(late)
    assert "유효 시간" in late.text and not late.buttons
    text = chart.shipped_chart_path().read_text("utf-8").replace("id: disk-space", "id: disk-full")
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
    room.press(gone)
    assert "조직도에 없는 규칙" in gone.text and not gone.buttons
    assert [who for who, _ in room.ephemeral_messages] == ["choi", "lee", "lee"]
    assert issues(env) == 0


def forgeries(good: str) -> list[Any]:
    version, act, value, end, seal = good.split(".")
    until = datetime.fromtimestamp(int(end), UTC)
    return [
        {},
        {"ticket": ""},
        {"ticket": good[:-1] + ("0" if good[-1] != "0" else "1")},
        {"ticket": f"{version}.{act}.{value}.{int(end) + 86400}.{seal}"},
        {"ticket": f"{version}.confirm.{value}.{end}.{seal}"},
        {"ticket": f"{version}.{act}.Mg==.{end}.{seal}"},
        {"ticket": button_token.create("다른 열쇠", "mattermost", "offer", "1", until)},
        {"ticket": button_token.create("열쇠", "slack", "offer", "1", until)},
        {"ticket": ["v1"]},
        {"ticket": good + "x" * 500},
        "ticket",
        None,
    ]


def test_a_forged_button_opens_nothing(env: BoardEnv, room: Mattermost) -> None:
    message = offered(room)
    for forged in forgeries(message.buttons[0]["integration"]["context"]["ticket"]):
        with pytest.raises(ActionFailed, match="이 시스템에서 생성한 버튼이 아닙니다"):
            room.press(message, context=forged, user_id="")
    for more in ({"user_id": ""}, {"user_id": "u" * 65}, {"user_name": "n" * 200}):
        with pytest.raises(ActionFailed):
            room.press(message, **more)
    assert issues(env) == 0
    pressed = room.request(message, "lee")
    assert room.client.get(mattermost_buttons.PATH).status_code == 405
    headers = {"content-type": "application/json"}
    large = b'{"a":"' + b"x" * 70_000 + b'"}'
    assert (
        room.client.post(mattermost_buttons.PATH, content=large, headers=headers).status_code == 413
    )
    with TestClient(page_app(env.board)) as closed:
        closed.app.state.settings.messenger_token = None  # type: ignore[attr-defined]
        assert closed.post(mattermost_buttons.PATH, json=pressed).status_code == 401
    assert issues(env) == 0


def test_requests_and_commands_work_in_chat_rooms_too(env: BoardEnv, room: Mattermost) -> None:
    code = messenger_links.create_code(env.board, CUSTOMER)
    linked = room.post(f"연결 {code}", TALK, "lee")
    asked = room.post("가디아 디스크 꽉 찼는지 봐줘", TALK, "lee")
    called = room.post("점검 부탁해요", TALK, "lee", trigger_word="점검")
    stopped = room.post("정지", TALK, "lee")
    said = [m.text if m else None for m in (linked, asked, called, stopped)]
    assert said[0] == "이 메신저 계정을 본인 계정에 연결했습니다."
    assert said[1] and said[1].startswith("SR-1") and said[2] and said[2].startswith("SR-2")
    assert said[3] and said[3].startswith("전체 정지했습니다")
    logged = rows(env, "select rule from tb_msg_chat_log order by message_id")
    assert logged == [("link",), ("webhook",), ("webhook",), ("kill",)]


def test_each_webhook_has_its_own_token(env: BoardEnv) -> None:
    tokens = "첫째열쇠, 둘째열쇠,,"
    app = page_app(env.board, messenger_token=tokens)
    with TestClient(app) as client:
        for token in ("첫째열쇠", "둘째열쇠"):
            room = Mattermost(client, token)
            message = room.post(FIRES, TALK)
            if message is not None:
                address = message.buttons[0]["integration"]["url"]
                assert address == f"http://testserver{mattermost_buttons.PATH}"
                room.press(message)
        for wrong in ("", ",", tokens, "첫째열쇠,"):
            payload = {"token": wrong, "post_id": "p", "text": "가", "channel_name": TALK}
            assert client.post("/intake/mattermost", json=payload).status_code == 401
    assert Settings(messenger_token=" , ").messenger_tokens == ()  # type: ignore[arg-type]
    assert issues(env) == 1
