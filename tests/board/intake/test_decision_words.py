"""Words of a decision in a room decide nothing and open nothing: the answer says how to decide."""

from __future__ import annotations

import psycopg
import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import IssueScenario
from starlette.testclient import TestClient

from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.board.intake import routes
from guardia.board.intake.decision_words import parse_decision_words
from guardia.settings import Settings

ORIGIN = "https://board.example.test"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("승인", 0),
        ("SR-12 승인", 12),
        ("SR-12 승인합니다.", 12),
        ("sr-12번 승인!", 12),
        ("승인 #12", 12),
        ("가디아, SR-12 반려합니다", 12),
        ("SR-12 수정 요청", 12),
        ("SR-12 승인 3f2a9c01bd77", 12),
        ("".join(chr(ord(c) + 0xFEE0) for c in "SR-12") + " 승인", 12),
        ("approve SR-12", 12),
        ("SR-12 승인이 왜 이렇게 늦나요", None),
        ("SR-12 승인해도 되는지 봐 주세요", None),
        ("승인 서버가 느려요", None),
        ("결재 화면이 열리지 않습니다", None),
        ("12", None),
        ("", None),
        ("승인" + " " * 200, None),
    ],
)
def test_only_a_line_that_is_nothing_but_a_decision_counts(text: str, number: int | None) -> None:
    assert parse_decision_words(text) == number


def say(env: BoardEnv, text: str, room: str) -> str:
    app = FastAPI()
    settings = Settings(messenger_token="열쇠", public_origin=ORIGIN)
    app.include_router(routes.router(env.board, settings))
    post = {"token": "열쇠", "post_id": text + room, "channel_name": room, "text": text}
    answer = TestClient(app).post("/intake/mattermost", json={**post, "user_name": "정다은"})
    assert answer.status_code == 200
    return str(answer.json()["text"])


def test_the_answer_shows_what_waits_in_its_own_room_and_leads_to_the_page(env: BoardEnv) -> None:
    scenario = IssueScenario(env).waiting(channel="mattermost", room="기재부-운영")
    words = f"SR-{scenario.sr_id} 승인합니다"
    here = say(env, words, "기재부-운영")
    assert f"{ORIGIN}/issues/{scenario.sr_id}" in here
    assert scenario.plan.actions[0].effect in here
    assert scenario.plan_hash[:12] in here
    elsewhere = say(env, words, "다른 방")
    assert f"{ORIGIN}/issues" in elsewhere
    assert scenario.plan.because not in elsewhere
    assert say(env, "승인", "기재부-운영").endswith(f"{ORIGIN}/issues")
    assert view.task(env.board, scenario.claim.task_id).state is State.PENDING_APPROVAL
    with psycopg.connect(env.dsn) as connection:
        found = connection.execute("select count(*) from tb_sr_request").fetchone()
    assert found == (1,)
