"""JANDI through the whole application: both forms of its outgoing webhook, and its cards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, BoardEnv
from page_env import page_app
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.intake import conversation, presses
from guardia.board.intake.channels import NotConfigured, RetryLater
from guardia.board.intake.jandi import webhook_of
from guardia.board.issues.conversation import ConversationReply, Press, PressReply
from guardia.heartbeat.deliver import deliver
from guardia.settings import Settings

PATH = "/intake/jandi"
REQUEST = "기재부 운영DB 쿼리가 너무 느려요"
TOPIC = {
    "token": "열쇠",
    "teamName": "운영팀",
    "roomName": "기재부-운영",
    "writerName": "장하늘",
    "writerEmail": "Lee@mof.go.kr",
    "text": f"/가디아 {REQUEST}",
    "data": REQUEST,
    "keyword": "가디아",
    "createdAt": "2026-11-30T01:02:03.456Z",
    "platform": "web",
    "ip": "10.0.0.1",
}
OLD_TOPIC = {k: v for k, v in TOPIC.items() if k not in {"writerEmail", "data", "platform", "ip"}}
TEAM = {
    **{k: v for k, v in OLD_TOPIC.items() if k != "writerName"},
    "writer": {
        "id": 17,
        "name": "장하늘",
        "email": "lee@mof.go.kr",
        "phoneNumber": "010-1234-5678",
    },
}


class Jandi(ThreadingHTTPServer):
    """The incoming webhooks of a team, as its documentation describes them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.cards: list[tuple[str, dict[str, Any]]] = []
        self.refusals: list[tuple[int, dict[str, Any] | str]] = []

    def url(self, room: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/connect-api/webhook/1/{room}"


class _Hook(BaseHTTPRequestHandler):
    server: Jandi

    def do_POST(self) -> None:
        card = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, body = self.server.refusals.pop(0) if self.server.refusals else (200, {})
        if status == 200:
            assert self.headers["accept"] == "application/vnd.tosslab.jandi-v2+json"
            assert card["body"] and set(card) <= {"body", "connectColor", "connectInfo"}
            self.server.cards.append((self.path.rsplit("/", 1)[1], card))
        self.send_response(status)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def jandi() -> Iterator[Jandi]:
    with Jandi() as found:
        threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def room(env: BoardEnv) -> Iterator[TestClient]:
    with TestClient(page_app(env.board, jandi_token="옛 열쇠, 열쇠")) as client:
        yield client


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def deliver_all(env: BoardEnv, settings: Settings) -> None:
    query = "select outbox_id from tb_outbox where delivered_at is null order by 1"
    for (number,) in rows(env, query):
        deliver(env.board, settings, number)


@pytest.mark.slow
@pytest.mark.parametrize("form", [TOPIC, OLD_TOPIC, TEAM], ids=["topic", "2017", "team"])
def test_each_form_opens_an_issue_and_is_answered_with_a_card(
    env: BoardEnv, room: TestClient, jandi: Jandi, form: dict[str, Any]
) -> None:
    messenger_links.link(env.board, Actor.operator("test"), CUSTOMER.id, "jandi", "lee@mof.go.kr")
    answers = [room.post(PATH, json=form).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["body"].startswith("SR-1로 접수했습니다")
    assert answers[0]["connectColor"] == "#2E6FDB"
    known = None if form is OLD_TOPIC else CUSTOMER.id
    query = "select requester_id, requester_name, room, body from tb_sr_request"
    assert rows(env, query) == [(known, "장하늘", "기재부-운영", REQUEST)]
    # The reply goes to the topic's own webhook.
    with env.board.database.transaction() as session:
        issue = session.get(outbox.Issue, 1)
        assert issue is not None
        choices = (Choice("server", "1", "와스 1호기"), Choice("server", "2", "와스 2호기"))
        outbox.reply_to_room(
            session,
            issue,
            "어느 서버인가요? [[여기]](http://x)",
            env.board.clock(),
            choices=choices,
        )
    urls = f"기재부-운영={jandi.url('mof')}, {jandi.url('others')}"
    deliver_all(env, Settings(jandi_url=urls, public_origin="https://board.example"))
    ((address, card),) = jandi.cards
    assert address == "mof"
    assert card["body"] == "어느 서버인가요? [ [여기]] (http://x)"
    (info,) = card["connectInfo"]
    assert info["description"] == "1. 와스 1호기\n2. 와스 2호기"
    assert "https://board.example/issues/1" in info["title"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": "/가디아 정지", "data": "정지"}, "전체 정지했습니다"),
        # A webhook whose keyword is the stop word itself.
        ({"text": "/정지", "keyword": "정지", "data": ""}, "전체 정지했습니다"),
        ({"text": "/가디아 SR-1 승인", "data": None}, "대화방에서는 결재할 수 없습니다"),
        ({"text": "가디아 느려요", "data": {"text": "x"}}, "SR-1로 접수했습니다"),
    ],
)
@pytest.mark.slow
def test_the_words_after_the_keyword_count(
    room: TestClient, change: dict[str, Any], said: str
) -> None:
    assert room.post(PATH, json={**TOPIC, **change}).json()["body"].startswith(said)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": "다른 열쇠"}, 401),
        ({"token": "옛 열쇠, 열쇠"}, 401),
        ({"token": "\udc80"}, 401),
        ({"token": None}, 422),
        ({"text": ""}, 422),
        ({"text": "ㄱ" * 16_385, "data": None}, 422),
        ({"writer": "장하늘"}, 422),
        ({"data": 7}, 422),
    ],
)
def test_invalid_messages_are_refused_without_a_trace(
    env: BoardEnv, room: TestClient, change: dict[str, Any], status: int
) -> None:
    body = json.dumps({**TOPIC, **change}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    answer = room.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert rows(env, "select 1 from tb_msg_chat_log") == []


def test_without_a_token_the_channel_is_closed(env: BoardEnv) -> None:
    with TestClient(page_app(env.board)) as closed:
        assert closed.post(PATH, json={**TOPIC, "token": ""}).status_code == 401


def test_a_limit_is_waited_for_and_a_refusal_is_final(env: BoardEnv, jandi: Jandi) -> None:
    settings = Settings(jandi_url=jandi.url("all"))
    with env.board.database.transaction() as session:
        now, route = env.board.clock(), outbox.Route("jandi")
        outbox.send(session, "message", "알림", now, room="방", sr_id=None, route=route)
    jandi.refusals = [(400, {"code": 42900}), (500, ""), (400, {"code": 40051, "msg": "알림"})]
    with pytest.raises(RetryLater):
        deliver_all(env, settings)
    with pytest.raises(OSError, match="HTTP 500"):
        deliver_all(env, settings)
    deliver_all(env, settings)
    error = "JANDI refuses the message (40051)"
    assert rows(env, "select delivered_at, last_error from tb_outbox") == [(None, error)]
    deliver_all(env, settings)
    assert [card["body"] for _, card in jandi.cards] == ["알림"]


def test_each_topic_has_its_own_webhook() -> None:
    urls = "가=https://wh.example/1/a?x=1, https://wh.example/1/b, 나 = https://wh.example/1/c"
    settings = Settings(jandi_url=urls)  # type: ignore[arg-type]
    assert webhook_of(settings, "가") == "https://wh.example/1/a?x=1"
    assert webhook_of(settings, "다") == "https://wh.example/1/b"
    with pytest.raises(NotConfigured):
        webhook_of(Settings(jandi_url="가=https://wh.example/1/a"), "나")  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["2", "2번", "와스  2호기", "\uff12번이요"])
def test_a_choice_is_taken_by_its_number_or_its_words(
    env: BoardEnv, room: TestClient, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    taken: list[tuple[str, str]] = []

    def take(_board: object, _settings: object, press: Press) -> PressReply:
        taken.append((press.value, press.account))
        return PressReply(
            "2호기로 진행합니다.", replaces=True, link="https://board.example/issues/1"
        )

    monkeypatch.setitem(presses.HANDLERS, "server", take)

    def says(text: str, **more: str) -> str:
        body = {**TOPIC, "text": f"/가디아 {text}", "data": text, "createdAt": text, **more}
        return str(room.post(PATH, json=body).json()["body"])

    # Without a question, a number is a request like any other.
    assert says(said, createdAt="before").startswith("SR-1로")
    choices = (Choice("server", "was-1", "와스 1호기"), Choice("server", "was-2", "와스 2호기"))
    with env.board.database.transaction() as session:
        now, route = env.board.clock(), outbox.Route("jandi")
        outbox.send(
            session, "message", "?", now, room="기재부-운영", sr_id=1, route=route, choices=choices
        )
    assert says(said) == "2호기로 진행합니다.\nhttps://board.example/issues/1"
    body = {**TOPIC, "text": f"/가디아 {said}", "data": said, "createdAt": said}
    assert room.post(PATH, json=body).json() == {}
    assert taken == [("was-2", "lee@mof.go.kr")]
    assert says("3").startswith("SR-2로") and says("와스").startswith("SR-3으로")
    assert says(said, roomName="다른 방").startswith("SR-4로")
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_outbox set created_at = created_at - interval '2 hours'")
    assert says(said, createdAt="late").startswith("SR-5로")


def test_a_choice_of_the_answer_itself_is_taken_too(
    env: BoardEnv, room: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ConversationReply("재기동할까요?", (Choice("offer", "77", "확인"),))
    monkeypatch.setattr(conversation, "STEPS", (*conversation.STEPS[:-1], lambda *_: asked))
    answer = room.post(PATH, json=TOPIC).json()
    assert answer["connectInfo"][0]["description"] == "1. 확인"
    body = {**TOPIC, "text": "/가디아 확인", "data": "확인"}
    assert "찾을 수 없습니다" in room.post(PATH, json=body).json()["body"]
