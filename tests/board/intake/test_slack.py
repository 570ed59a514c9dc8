"""Slack through the whole application; Slack's own library signs requests and reads replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from board_env import CUSTOMER, BoardEnv
from fastapi import FastAPI
from page_env import page_app
from slack_bolt import App
from slack_bolt.request import BoltRequest
from slack_server import BOT, SECRET, TOKEN, Slack, SlackApi, signed, slack_api
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links
from guardia.board.control import kill_switch
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.choices import Choice
from guardia.board.core.local_stop import LocalStop
from guardia.board.intake import button_token, presses, routes, slack_messages
from guardia.board.intake.channels import RetryLater
from guardia.board.issues.conversation import PressReply
from guardia.board.organization import chart as organization_chart
from guardia.db.engine import Database
from guardia.heartbeat.deliver import deliver
from guardia.org import chart
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

REQUEST = "기재부 운영DB 쿼리가 너무 느려요"
ROOM = "C0OPS"
TALK = "C0TALK"


@pytest.fixture
def api() -> Iterator[SlackApi]:
    with slack_api() as found:
        yield found


def configured(api: SlackApi, **more: Any) -> dict[str, Any]:
    return {
        "slack_signing_secret": SECRET,
        "slack_token": TOKEN,
        "slack_api": f"{api.address}/api",
        "slack_response_hosts": f"hooks.slack.com,{api.address}",
        "public_origin": "https://board.example",
        **more,
    }


@pytest.fixture
def room(env: BoardEnv, api: SlackApi) -> Iterator[Slack]:
    with TestClient(page_app(env.board, **configured(api))) as client:
        yield Slack(client, api)


def rows(env: BoardEnv, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(env.dsn) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def deliver_all(env: BoardEnv, api: SlackApi) -> None:
    """Send what waits in the outbox, as a worker does."""
    settings = Settings(**configured(api))
    for (number,) in rows(
        env, "select outbox_id from tb_outbox where delivered_at is null order by 1"
    ):
        deliver(env.board, settings, number)


def replies(env: BoardEnv, api: SlackApi, message: dict[str, Any], room: str = ROOM) -> list[str]:
    """Return what the app wrote into the thread of a message, read by Slack's client."""
    deliver_all(env, api)
    found = api.client().conversations_replies(channel=room, ts=message["ts"])
    return [m["text"] for m in found["messages"] if m.get("bot_id")]


def watch_talk(env: BoardEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8").replace("ops-talk", TALK)
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))


def test_a_message_becomes_an_issue_and_is_answered_in_its_thread(
    env: BoardEnv, room: Slack
) -> None:
    messenger_links.link(env.board, Actor.operator("test"), CUSTOMER.id, "slack", "U0KIM")
    message = room.say(f"<@{BOT}> {REQUEST} &lt;급함&gt; <http://x.example|화면>")
    query = "select requester_id, channel, room, thread, body from tb_sr_request"
    body = f"{REQUEST} <급함> 화면 (http://x.example)"
    assert rows(env, query) == [(CUSTOMER.id, "slack", ROOM, message["ts"], body)]
    (answer,) = replies(env, room.api, message)
    assert answer.startswith("SR-1로 접수했습니다")
    # What follows goes to the same thread.
    with env.board.database.transaction() as session:
        issue = session.get(outbox.Issue, 1)
        assert issue is not None
        outbox.reply_to_room(session, issue, "조치를 마쳤습니다 <!channel>", env.board.clock())
    assert replies(env, room.api, message)[1:] == ["조치를 마쳤습니다 &lt;!channel&gt;"]


def test_a_repeated_event_and_a_mention_of_the_same_message_are_answered_once(
    env: BoardEnv, room: Slack
) -> None:
    message = room.say(f"<@{BOT}> {REQUEST}", kinds=("message", "app_mention"))
    retried = room.sent[0]
    for number in ("1", "2", "3"):
        headers = {"x-slack-retry-num": number, "x-slack-retry-reason": "http_timeout"}
        again = replace(retried, headers={**retried.headers, **headers})
        assert room.send(again).status_code == 200
    assert len(replies(env, room.api, message)) == 1
    assert rows(env, "select count(*) from tb_sr_request") == [(1,)]


def test_a_mention_is_answered_that_came_first_as_a_line_of_talk(
    env: BoardEnv, room: Slack
) -> None:
    watch_talk(env)
    message = room.say("이것도 좀 봐 주세요", TALK)
    assert replies(env, room.api, message, TALK) == []
    assert room.send(room.event(message, TALK, type="app_mention")).status_code == 200
    (answer,) = replies(env, room.api, message, TALK)
    assert answer.startswith("SR-1")


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B1"},
        {"user": BOT},
        {"subtype": "bot_message", "user": None},
        {"subtype": "message_changed", "text": None, "message": {"text": REQUEST}},
        {"subtype": "channel_join"},
        {"text": ""},
        {"text": f"<@{BOT}>"},
        {"type": "channel_created", "channel": {"id": "C9", "name": "새 방"}},
        {"type": "reaction_added", "item": {"type": "message"}, "text": None},
    ],
)
def test_what_no_person_wrote_is_dropped(env: BoardEnv, room: Slack, more: dict[str, Any]) -> None:
    message = {"type": "message", "user": "U0KIM", "text": REQUEST, "ts": "1.1"}
    assert room.send(room.event({**message, **more}, ROOM)).status_code == 200
    assert rows(env, "select 1 from tb_msg_chat_log") == []
    assert rows(env, "select 1 from tb_outbox") == []


def test_the_address_is_proved(room: Slack) -> None:
    body = json.dumps({"token": "x", "challenge": "3eZbrw1a", "type": "url_verification"})
    answer = room.send(signed("/intake/slack/events", body, "application/json"))
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
    form = "application/x-www-form-urlencoded"
    unsigned = replace(signed("/intake/slack/commands", "ssl_check=1&token=x", form), headers={})
    unsigned.headers["content-type"] = form
    assert room.send(unsigned).status_code == 200


def forged(room: Slack) -> dict[str, Any]:
    body = json.dumps({"type": "url_verification", "challenge": "c"})
    json_type = "application/json"
    path = "/intake/slack/events"
    good = signed(path, body, json_type)
    return {
        "another secret": signed(path, body, json_type, secret="other"),
        "an old request": signed(path, body, json_type, age=301),
        "a request of the future": signed(path, body, json_type, age=-400),
        "another body": replace(good, body=body + " "),
        "no signature": replace(good, headers={"content-type": json_type}),
        "a time that is none": replace(
            good, headers={**good.headers, "x-slack-request-timestamp": "\uff11\uff12"}
        ),
        "a huge time": replace(
            good, headers={**good.headers, "x-slack-request-timestamp": "9" * 400}
        ),
        "an empty signature": replace(good, headers={**good.headers, "x-slack-signature": ""}),
        "letters that are not ASCII": replace(
            good, headers={**good.headers, "x-slack-signature": "v0=é"}
        ),
    }


def test_forged_and_replayed_requests_are_refused(room: Slack) -> None:
    for what, request in forged(room).items():
        headers = {k: v.encode("utf-8") for k, v in request.headers.items()}
        answer = room.client.post(request.path, content=request.body.encode(), headers=headers)
        assert answer.status_code == 401, what


def test_secrets_can_be_replaced_and_the_window_set(env: BoardEnv, api: SlackApi) -> None:
    more = {"slack_signing_secret": f"next, {SECRET}", "slack_window": 600}
    with TestClient(page_app(env.board, **configured(api, **more))) as client:
        body = json.dumps({"type": "url_verification", "challenge": "c"})
        for secret, age, status in (("next", 400, 200), (SECRET, 0, 200), ("next", 700, 401)):
            request = signed(
                "/intake/slack/events", body, "application/json", secret=secret, age=age
            )
            assert Slack(client, api).send(request).status_code == status
    with TestClient(page_app(env.board)) as closed:
        request = signed("/intake/slack/events", body, "application/json")
        assert Slack(closed, api).send(request).status_code == 401


def test_a_slash_command_answers_only_who_gave_it(env: BoardEnv, room: Slack) -> None:
    request = room.command(REQUEST)
    answers = [room.send(request).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["response_type"] == "ephemeral"
    assert answers[0]["text"].startswith("SR-1로 접수했습니다")
    assert rows(env, "select room, requester_account from tb_sr_request") == [(ROOM, "slack:U0KIM")]
    assert "/guardia" in room.send(room.command(" ")).json()["text"]
    assert room.send(room.command("정지")).json()["text"].startswith("전체 정지했습니다")


@pytest.mark.slow
def test_the_stop_word_works_in_every_form(env: BoardEnv, room: Slack) -> None:
    watch_talk(env)
    officer = PersonInfo(id="sec", name="보안", title="관", role="security_officer")
    for text in ("정지", f"<@{BOT}> 정지!", f"정지 <@{BOT}>", "<@U0OTHER> 긴급 정지"):
        message = room.say(text, TALK)
        (answer,) = replies(env, room.api, message, TALK)
        assert answer.startswith("전체 정지했습니다"), text
        kill_switch.release(env.board, officer, "점검을 마쳤습니다")


@pytest.mark.slow
def test_the_stop_word_stops_without_the_database(
    env: BoardEnv, api: SlackApi, tmp_path: Path
) -> None:
    local = LocalStop(tmp_path)
    database = Database("postgresql://nobody:x@127.0.0.1:1/none")
    away = replace(env.board, database=database, local_stop=local)
    app = FastAPI()
    app.include_router(routes.router(away, Settings(**configured(api))))
    room = Slack(TestClient(app, raise_server_exceptions=False), api)
    event = room.event({"type": "message", "user": "U0KIM", "text": "정지", "ts": "1.1"}, ROOM)
    # Slack repeats it, and is answered when the board can say what it did.
    assert room.send(event).status_code >= 500
    assert room.send(room.command("정지")).json()["text"]
    assert [order.by for order in local.pending()] == ["channel:slack"] * 2
    database.close()


@pytest.mark.slow
def test_an_offer_is_taken_with_its_button(env: BoardEnv, room: Slack) -> None:
    watch_talk(env)
    said = room.say("WAS 디스크 꽉 찼어요 <!channel>", TALK)
    deliver_all(env, room.api)
    thread = room.api.client().conversations_replies(channel=TALK, ts=said["ts"])
    (offer,) = (m for m in thread["messages"] if m.get("bot_id"))
    assert "디스크 용량 부족" in offer["text"] and "channel" not in offer["text"]
    pressed = room.press(offer, channel=TALK)
    for request in (pressed, pressed, room.press(offer, "park", channel=TALK)):
        answer = room.send(request)
        assert (answer.status_code, answer.content) == (200, b"")
    deliver_all(env, room.api)
    opened = "SR-1로 접수했습니다"
    first, second, notice = room.api.answers
    assert first["replace_original"] and first["text"].startswith(opened)
    assert "blocks" not in first
    assert second["replace_original"] and second["text"].startswith(opened)
    assert not notice["replace_original"] and notice["response_type"] == "ephemeral"
    assert notice["text"] == "이미 SR-1로 접수되어 있습니다."
    assert rows(env, "select requester_name, room, category from tb_sr_request") == [
        ("lee", TALK, "STORAGE")
    ]


def test_a_button_made_elsewhere_has_no_effect(env: BoardEnv, room: Slack) -> None:
    shown = slack_messages.message_body(
        "x", (Choice("offer", "1", "확인"),), "other", env.board.clock()
    )
    assert room.send(room.press(shown)).status_code == 200
    for other in ({"type": "view_closed"}, {"actions": []}, {"user": {}}):
        assert room.send(room.press(shown, **other)).status_code == 200
    assert rows(env, "select 1 from tb_outbox") == []


def test_a_press_that_asks_back_shows_its_buttons(
    env: BoardEnv, room: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = PressReply("어느 서버인가요?", replaces=True, choices=(Choice("server", "1", "1호기"),))
    monkeypatch.setitem(presses.HANDLERS, "again", lambda *_: asked)
    shown = slack_messages.message_body(
        "x", (Choice("again", "1", "확인"),), SECRET, env.board.clock()
    )
    assert room.send(room.press({**shown, "thread_ts": "1.1"})).status_code == 200
    deliver_all(env, room.api)
    (answer,) = room.api.answers
    assert answer["replace_original"] and answer["text"] == asked.text
    (button,) = answer["blocks"][-1]["elements"]
    assert button["text"]["text"] == "1호기"
    assert button_token.verify((SECRET,), "slack", button["value"]) is not None


def test_an_answer_goes_to_no_foreign_host(env: BoardEnv, room: Slack) -> None:
    watch_talk(env)
    said = room.say("WAS 디스크 꽉 찼어요", TALK)
    deliver_all(env, room.api)
    thread = room.api.client().conversations_replies(channel=TALK, ts=said["ts"])
    offer = thread["messages"][1]
    room.send(room.press(offer, channel=TALK, response_url="https://evil.example/x"))
    # It is answered in the thread instead.
    assert replies(env, room.api, said, TALK)[-1].startswith("SR-1로 접수했습니다")
    assert room.api.answers == []


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hooks.slack.com/actions/T/1/x", True),
        ("https://hooks.slack.com.evil.example/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("https://user@hooks.slack.com/x", False),
        ("https://hooks.slack.com:8443/x", False),
        ("http://hooks.slack.com/x", False),
        ("http://10.0.0.1:8080/x", True),
        ("https://10.0.0.1:8080/x", False),
        ("file:///etc/passwd", False),
        ("https://[::1/x", False),
        ("", False),
    ],
)
def test_only_listed_hosts_are_called(url: str, allowed: bool) -> None:
    assert slack_messages.is_allowed(url, ("hooks.slack.com", "http://10.0.0.1:8080")) is allowed


@pytest.mark.slow
def test_a_line_in_the_thread_of_an_issue_is_added_to_it(env: BoardEnv, room: Slack) -> None:
    messenger_links.link(env.board, Actor.operator("test"), CUSTOMER.id, "slack", "U0LEE")
    root = room.say(REQUEST)
    more = room.say("지금은 괜찮아졌어요 @db-agent", user="U0LEE", thread_ts=root["ts"])
    assert room.send(room.event(more, ROOM)).status_code == 200
    room.say(f"<@{BOT}> 언제 끝나요?", thread_ts=root["ts"])
    assert room.send(room.event(root, ROOM)).status_code == 200
    notes = rows(env, "select author, body from tb_comment order by comment_id")
    assert notes == [
        (f"person:{CUSTOMER.id}", "지금은 괜찮아졌어요 @db-agent"),
        ("channel:slack", "U0KIM: 언제 끝나요?"),
    ]
    assert rows(env, "select count(*) from tb_sr_request") == [(1,)]
    said = replies(env, room.api, root)
    assert said[0].startswith("SR-1로 접수") and said[1:] == ["SR-1에 의견으로 추가했습니다."]
    # The thread of an ended issue is that of the next request.
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_ops_task set status = 'ABORTED'")
        connection.execute("update tb_sr_request set status = 'ABORTED'")
    room.say("다시 느려졌어요", thread_ts=root["ts"])
    assert rows(env, "select count(*) from tb_sr_request") == [(2,)]


def queued(env: BoardEnv, room: str = ROOM) -> int:
    route = outbox.Route("slack")
    with env.board.database.transaction() as session:
        now = env.board.clock()
        outbox.send(session, "message", "알림", now, room=room, sr_id=None, route=route)
    return int(rows(env, "select max(outbox_id) from tb_outbox")[0][0])


@pytest.mark.slow
def test_what_slack_refuses_for_now_is_sent_again(env: BoardEnv, api: SlackApi) -> None:
    api.messages[ROOM] = []
    settings = Settings(**configured(api))
    number = queued(env)
    api.refusals = [
        (429, {"Retry-After": "7"}, {"ok": False, "error": "ratelimited"}),
        (429, {}, {}),
        (200, {}, {"ok": False, "error": "internal_error"}),
        (503, {}, {}),
    ]
    with pytest.raises(RetryLater) as limited:
        deliver(env.board, settings, number)
    assert limited.value.seconds == 7
    for _ in range(3):
        with pytest.raises(OSError, match=r"again in|message:"):
            deliver(env.board, settings, number)
    deliver(env.board, settings, number)
    (sent,) = api.client().conversations_history(channel=ROOM)["messages"]
    assert sent["text"] == "알림" and "thread_ts" not in sent


def test_what_slack_will_never_take_is_marked_as_failed(env: BoardEnv, api: SlackApi) -> None:
    number = queued(env, "C0UNKNOWN")
    deliver(env.board, Settings(**configured(api)), number)
    query = "select delivered_at, last_error from tb_outbox"
    assert rows(env, query) == [(None, "chat.postMessage: channel_not_found")]
    deliver(env.board, Settings(**configured(api, slack_token="xoxb-old")), number)
    assert rows(env, query) == [(None, "chat.postMessage: invalid_auth")]
    deliver(env.board, Settings(), number)
    assert "token" in str(rows(env, query)[0][1])


@pytest.mark.slow
def test_slacks_own_framework_accepts_the_same_requests(room: Slack) -> None:
    """What this suite sends is what Slack sends."""
    seen: list[str] = []
    app = App(signing_secret=SECRET, client=room.api.client(), process_before_response=True)
    app.event("message")(lambda event: seen.append(event["text"]))
    app.command("/guardia")(lambda ack, command: (ack(), seen.append(command["text"])))
    app.action("choice1")(lambda ack, action: (ack(), seen.append(action["value"])))
    button = {"action_id": "choice1", "text": {}, "value": "v"}
    shown = {"ts": "1.1", "blocks": [{"type": "actions", "elements": [button]}]}
    message = {"type": "message", "user": "U0KIM", "text": "글", "ts": "1.1"}
    for request in (room.event(message, ROOM), room.command("명령"), room.press(shown)):
        headers = {k: [v] for k, v in request.headers.items()}
        answer = app.dispatch(BoltRequest(body=request.body, headers=headers))
        assert answer.status == 200, answer.body
    assert seen == ["글", "명령", "v"]
