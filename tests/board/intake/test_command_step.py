"""Commands in rooms: only of linked people, only where one is clearly meant, carried out once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from board_env import BoardEnv
from command_env import one
from fastapi import FastAPI
from second_person import with_second_person
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links
from guardia.board.core.actors import Actor
from guardia.board.intake import routes
from guardia.settings import Settings

ORIGIN = "https://board.example.test"
Say = Callable[..., Any]


def link(env: BoardEnv, person: str, channel: str, account: str) -> None:
    """Link an account as the operator; that of an approver takes a second person."""
    operator = Actor.operator("test")
    linked = partial(messenger_links.link, env.board, operator, person, channel, account)
    with_second_person(env.board, linked)


@pytest.fixture
def room(env: BoardEnv) -> Iterator[TestClient]:
    for person in ("lead", "eng", "cus"):
        link(env, person, "mattermost", f"id-{person}")
    app = FastAPI()
    app.include_router(
        routes.router(env.board, Settings(messenger_token="열쇠", public_origin=ORIGIN))
    )
    with TestClient(app) as found:
        yield found


def say(room: TestClient, text: str, who: str = "lead", post: str = "", **more: str) -> Any:
    body = {
        "token": "열쇠", "post_id": post or text + who, "channel_name": "기재부-운영",
        "user_id": f"id-{who}", "user_name": who, "text": text, "trigger_word": "", **more,
    }  # fmt: skip
    answer = room.post("/intake/mattermost", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def press(room: TestClient, message: Any, number: int = 0, who: str = "lead") -> Any:
    action = message["attachments"][0]["actions"][number]
    body = {"user_id": f"id-{who}", "user_name": who, "context": action["integration"]["context"]}
    answer = room.post("/intake/mattermost/actions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def state(env: BoardEnv, sr: int) -> str:
    return str(one(env, f"select status from tb_sr_request where sr_id = {sr}"))


def test_a_linked_persons_command_is_carried_out_and_reported_with_a_link(
    env: BoardEnv, room: TestClient
) -> None:
    sr = env.create_parsed_task().sr_id
    answer = say(room, f"#{sr} 수동으로 전환해줘")
    shown = str(answer)
    assert state(env, sr) == "MANUAL" and f"{ORIGIN}/issues/{sr}" in shown
    assert one(env, "select count(*) from tb_sr_request") == 1


def test_a_repeated_delivery_is_carried_out_once(env: BoardEnv, room: TestClient) -> None:
    sr = env.create_parsed_task().sr_id
    for _ in range(3):
        say(room, f"#{sr} 일시정지", post="same")
    assert one(env, "select count(*) from tb_directive") == 1


def test_an_unlinked_account_commands_nothing(env: BoardEnv, room: TestClient) -> None:
    sr = env.create_parsed_task().sr_id
    say(room, f"#{sr} 중단해줘", who="nobody")
    assert one(env, "select count(*) from tb_command") == 0
    assert state(env, sr) == "PARSED"


def test_a_destructive_command_is_confirmed_by_its_own_person_only(
    env: BoardEnv, room: TestClient
) -> None:
    sr = env.create_parsed_task().sr_id
    asked = say(room, f"#{sr} 중단해줘")
    assert state(env, sr) == "PARSED"
    assert "ephemeral_text" in press(room, asked, who="eng")
    assert state(env, sr) == "PARSED"
    done = press(room, asked)
    assert state(env, sr) == "ABORTED" and f"SR-{sr}" in str(done)
    press(room, asked)
    assert one(env, "select count(*) from tb_directive") == 1


def test_a_choice_may_lead_to_a_confirmation_with_buttons(env: BoardEnv, room: TestClient) -> None:
    asked = say(room, "가디아 기획재정부 서버 재시작해줘", trigger_word="가디아")
    then = press(room, asked, 1)["update"]["props"]
    assert "MOF-WAS-01" in str(then["attachments"][0]["text"])
    assert one(env, "select count(*) from tb_sr_request") == 0
    done = press(room, then, 0)
    assert "SR-1" in str(done) and one(env, "select count(*) from tb_sr_request") == 1


@pytest.mark.parametrize(
    "text",
    [
        "어제 롤백했던 건 어떻게 하기로 했죠", "중단하라고 하셨어요", "재시작하면 될까요?",
        "MOF-DB-01 조회가 느린데 확인 부탁드립니다", "업무 올스톱이에요 접속이 안 됩니다",
        "MOF-WAS-01 재시작해줘", "배포는 내일 합시다", "수고하셨습니다",
    ],
)  # fmt: skip
def test_talk_and_requests_stay_what_they_are(env: BoardEnv, room: TestClient, text: str) -> None:
    say(room, text)
    assert one(env, "select count(*) from tb_command") == 0
    assert one(env, "select count(*) from tb_kill") == 0


def test_a_customer_asks_about_and_comments_on_own_issues_only(
    env: BoardEnv, room: TestClient
) -> None:
    sr = env.create_parsed_task().sr_id
    say(room, f"SR-{sr} 어떻게 됐어?", who="cus")
    say(room, f"SR-{sr} 중단해줘", who="cus")
    assert one(env, "select count(*) from tb_directive") == 0
    assert one(env, "select count(*) from tb_command where structure->>'action' = 'query'") == 1


def test_the_thread_of_an_issue_says_which_one_is_meant(env: BoardEnv) -> None:
    from guardia.board.intake.command_step import command_step
    from guardia.board.issues.conversation import RoomLine

    link(env, "lead", "slack", "U1")
    sr = env.create_issue(channel="slack", room="C1", thread="17.01")
    line = RoomLine("일시정지해줘", "slack", "정다은", room="C1", thread="17.01", account="U1",
                    external_id="e1")  # fmt: skip
    reply = command_step(env.board, line, Settings())
    assert reply is not None and f"SR-{sr}" in reply.text
    assert one(env, "select bool_or(paused) from tb_ops_task") is True
