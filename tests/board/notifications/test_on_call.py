"""Emergencies: who is called, in which order, and until when."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv
from cmdb_env import enter
from gateway_server import GatewayServer, running_gateway
from page_env import PageClient
from sqlalchemy import select, text

from guardia.board.accounts import messenger_links
from guardia.board.audit.model import AuditEntry
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.notices import Notice
from guardia.board.issues import comments
from guardia.board.issues.conversation import Press
from guardia.board.notifications import (
    acknowledging,
    delivery_view,
    digests,
    dispatch,
    inbox,
    on_call,
)
from guardia.board.notifications.policy import Preference
from guardia.board.organization import chart as organization_chart
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.heartbeat.deliver import deliver
from guardia.org import chart
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings

SHIPPED = chart.shipped_chart_path().read_text("utf-8")
NIGHT = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)  # Monday 23:00 in Seoul


class Clock:
    """A clock for the board that the test moves."""

    def __init__(self) -> None:
        self.now = NIGHT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    with running_gateway() as server:
        yield server


@pytest.fixture
def night(env: BoardEnv, clock: Clock, gateway: GatewayServer) -> BoardEnv:
    """Return a board at night with two people on duty and a gateway for SMS."""
    env.board = replace(env.board, clock=clock)
    rules = {
        "quiet": {"from": "22:00", "until": "07:00"},
        "rooms": ["당직방", "관제실"],
        "sms": {"url": gateway.url, "secret_headers": {"X-Key": "sms-key"}},
    }
    given = f"{SHIPPED}\nnotifications: {json.dumps(rules, ensure_ascii=False)}\n"
    organization_chart.apply_chart(env.board, given, Actor.operator("test"))
    every_day = {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "begins": "00:00",
        "ends": "24:00",
    }
    enter(
        env,
        ("duty", {"id": "A", "person": "eng", "field": "DB", **every_day}),
        ("duty", {"id": "B", "person": "lead2", "field": "*", **every_day}),
    )
    inbox.set_preference(env.board, ENGINEER, Preference(phone="010-1234-5678"))
    inbox.set_preference(env.board, LEAD, Preference(phone="010-2222-3333"))
    return env


def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path)
    FileCredentialStore(found.secrets).put("sms-key", "s3cret-key")
    return found


def alert(env: BoardEnv, kind: NoticeKind = NoticeKind.FAILED_ROLLBACK) -> int:
    with env.board.database.transaction() as session:
        now = env.board.clock()
        return outbox.send(session, "alert", "[SR-1] 조치 실패", now, sr_id=None, notice=kind)


def copies(env: BoardEnv) -> list[tuple[str, str, str]]:
    o = OutboxEntry
    with env.board.database.reading() as session:
        rows = session.execute(select(o.kind, o.medium, o.room).order_by(o.outbox_id))
        return [(kind, medium, room) for kind, medium, room in rows if medium or room]


def told(env: BoardEnv, kind: NoticeKind) -> set[str]:
    with env.board.database.reading() as session:
        return set(session.scalars(select(Notice.person_id).where(Notice.kind == kind)))


def test_an_emergency_reaches_rooms_and_people_on_duty_at_night(night: BoardEnv) -> None:
    dispatch.dispatch(night.board, alert(night))
    assert copies(night) == [
        ("notice", "sms", "010-2222-3333"),
        ("message", "", "당직방"),
        ("message", "", "관제실"),
        ("notice", "sms", "010-1234-5678"),
    ]
    assert told(night, NoticeKind.FAILED_ROLLBACK) == {"eng", "lead", "lead2"}
    (open_alarm,) = inbox.alarms(night.board, LEAD)
    assert open_alarm.called == ("eng",) and open_alarm.state == "WAITING"


def test_an_ordinary_alert_calls_nobody_at_night(night: BoardEnv) -> None:
    dispatch.dispatch(night.board, alert(night, NoticeKind.ALERT))
    assert copies(night) == [] and inbox.alarms(night.board, LEAD) == []
    assert told(night, NoticeKind.ALERT) == {"eng", "lead2"}


@pytest.mark.parametrize("kind", [NoticeKind.KILL_SWITCH, NoticeKind.AUDIT_BROKEN])
def test_kill_switch_and_audit_log_call_too(night: BoardEnv, kind: NoticeKind) -> None:
    dispatch.dispatch(night.board, alert(night, kind))
    assert ("message", "", "당직방") in copies(night) and len(inbox.list_alarms(night.board)) == 1


def test_hosts_that_dispatch_at_the_same_time_send_once(night: BoardEnv) -> None:
    number = alert(night)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: dispatch.dispatch(night.board, number), range(4)))
    assert len(copies(night)) == 4 and len(inbox.list_alarms(night.board)) == 1


def test_nobody_answers_so_the_next_is_called(night: BoardEnv, clock: Clock) -> None:
    dispatch.dispatch(night.board, alert(night))

    def after(minutes: int) -> tuple[str, ...]:
        clock.now += timedelta(minutes=minutes)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: on_call.process_due(night.board), range(3)))
        return inbox.list_alarms(night.board)[0].called

    assert after(9) == ("eng",)
    assert after(2) == ("eng", "lead2")
    assert after(10) == ("eng", "lead2", "lead"), "then the team leads who were not called yet"
    after(10)
    assert inbox.list_alarms(night.board)[0].state == "EXHAUSTED"
    with night.board.database.reading() as session:
        kinds = session.scalars(select(AuditEntry.kind).where(AuditEntry.kind == "on_call_called"))
        assert len(list(kinds)) == 3


def test_an_acknowledgement_ends_the_calls_and_counts_once(night: BoardEnv, clock: Clock) -> None:
    dispatch.dispatch(night.board, alert(night))
    (alarm,) = inbox.list_alarms(night.board)
    first = on_call.acknowledge(night.board, LEAD, alarm.on_call_id)
    second = on_call.acknowledge(night.board, PM, alarm.on_call_id)
    assert (first.is_first, second.is_first, second.by) == (True, False, "lead")
    clock.now += timedelta(hours=1)
    on_call.process_due(night.board)
    assert inbox.list_alarms(night.board)[0].called == ("eng",)
    with pytest.raises(Forbidden):
        on_call.acknowledge(night.board, CUSTOMER, alarm.on_call_id)
    with pytest.raises(NotFound):
        on_call.acknowledge(night.board, LEAD, 999)


def test_without_a_roster_team_leads_and_administrators_are_called(env: BoardEnv) -> None:
    dispatch.dispatch(env.board, alert(env))
    assert inbox.list_alarms(env.board)[0].called == ("lead", "lead2")


@pytest.mark.slow
def test_the_gateway_gets_phone_text_and_key(
    night: BoardEnv, gateway: GatewayServer, tmp_path: Path
) -> None:
    dispatch.dispatch(night.board, alert(night))
    with night.board.database.reading() as session:
        o = OutboxEntry
        number = session.scalar(select(o.outbox_id).where(o.medium == "sms").limit(1)) or 0
    gateway.status = 503
    with pytest.raises(OSError, match="HTTP 503"):
        deliver(night.board, settings(tmp_path), number)
    (failed,) = delivery_view.deliveries(night.board, state="failed").rows
    assert (failed.error, failed.attempts, failed.place) == ("HTTP 503", 1, "…3333")
    gateway.status = 200
    deliver(night.board, settings(tmp_path), number)
    deliver(night.board, settings(tmp_path), number)
    assert len(gateway.sent) == 2 and gateway.sent[1].headers["x-key"] == "s3cret-key"
    assert json.loads(gateway.sent[1].body) == {"to": "010-2222-3333", "text": "[SR-1] 조치 실패"}
    assert "s3cret-key" not in str(delivery_view.deliveries(night.board))


@pytest.mark.slow
def test_a_form_in_euc_kr_and_a_get(
    night: BoardEnv, gateway: GatewayServer, tmp_path: Path
) -> None:
    for method in ("POST", "GET"):
        rules = {
            "sms": {
                "url": gateway.url,
                "method": method,
                "format": "form",
                "encoding": "euc-kr",
                "fields": {"rcv": "{phone}", "msg": "{text}"},
            }
        }
        given = f"{SHIPPED}\nnotifications: {json.dumps(rules, ensure_ascii=False)}\n"
        organization_chart.apply_chart(night.board, given, Actor.operator("test"))
        dispatch.dispatch(night.board, alert(night))
        with night.board.database.reading() as session:
            o = OutboxEntry
            query = select(o.outbox_id).where(o.medium == "sms").order_by(o.outbox_id.desc())
            number = session.scalar(query.limit(1)) or 0
        deliver(night.board, settings(tmp_path), number)
        last = gateway.sent[-1]
        raw = last.body.decode() if method == "POST" else last.path.split("?")[1]
        found = parse_qs(raw, encoding="euc-kr")
        assert last.method == method and "조치 실패" in found["msg"][0]
        assert found["rcv"][0].startswith("010-")


def test_notices_of_the_night_come_as_one_in_the_morning(night: BoardEnv, clock: Clock) -> None:
    own = Preference(phone="010-1234-5678", media=("sms",))
    inbox.set_preference(night.board, ENGINEER, own)
    for word in ("하나", "둘"):
        with night.board.database.transaction() as session:
            outbox.notify(session, NoticeKind.ASSIGNED, word, ["eng"], clock.now, sr_id=None)
            number = session.scalar(text("select max(outbox_id) from tb_outbox"))
        dispatch.dispatch(night.board, int(number or 0))
    digests.process_due(night.board)
    assert copies(night) == []
    clock.now += timedelta(hours=8, minutes=1)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: digests.process_due(night.board), range(3)))
    assert copies(night) == [("notice", "sms", "010-1234-5678")]
    assert "하나" in delivery_view.deliveries(night.board).rows[0].text


def test_preferences_are_checked_and_audited(env: BoardEnv) -> None:
    for bad in (
        Preference(phone="전화"),
        Preference(mail="a b@c"),
        Preference(media=("pigeon",)),
        Preference(quiet_from="22:00"),
        Preference(quiet_from="25:00", quiet_until="07:00"),
        Preference(digest_minutes=-1),
    ):
        with pytest.raises(Invalid):
            inbox.set_preference(env.board, ENGINEER, bad)
    inbox.set_preference(env.board, ENGINEER, Preference(phone="\uff10\uff11\uff10-1234-5678"))
    assert inbox.preference_of(env.board, "eng").phone == "010-1234-5678"
    with env.board.database.reading() as session:
        kind = AuditEntry.kind == "notice_preference_set"
        (entry,) = session.scalars(select(AuditEntry).where(kind))
        assert "5678" not in str(entry.detail), "the log needs no phone number"


def test_the_page_shows_own_notices_and_only_staff_see_calls(
    night: BoardEnv, sign_in_as: Callable[[str], PageClient]
) -> None:
    dispatch.dispatch(night.board, alert(night))
    lead = sign_in_as("lead")
    page = lead.get("/notifications").text
    assert "긴급 호출" in page and "…5678" in page and "[SR-1] 조치 실패" in page
    answer = lead.submit_form("/notifications/calls/1", "/notifications")
    assert answer.status_code == 303
    assert inbox.list_alarms(night.board)[0].acknowledged_by == "lead"
    answer = lead.submit_form("/notifications/settings", "/notifications", phone="x")
    assert answer.status_code >= 400 and "숫자와 하이픈" in answer.text
    customer = sign_in_as("cus")
    page = customer.get("/notifications").text
    assert "조치 실패" not in page and "전송 기록" not in page
    assert customer.submit_form("/notifications/calls/1", "/notifications").status_code == 403


def test_the_button_acknowledges_for_a_linked_account_only(night: BoardEnv) -> None:
    dispatch.dispatch(night.board, alert(night))
    messenger_links.link(night.board, Actor.operator("test"), "eng", "mattermost", "u-eng")
    given = {"channel": "mattermost", "room": "당직방", "thread": "", "act": on_call.ACT}
    stranger = Press(account="u-x", sender="김철수", value="1", **given)
    for press in (stranger, Press(account="u-eng", sender="김철수", value="1 or 1=1", **given)):
        with pytest.raises(NotFound):
            acknowledging.press_acknowledge(night.board, Settings(), press)
    own = Press(account="u-eng", sender="?", value="1", **given)
    assert acknowledging.press_acknowledge(night.board, Settings(), own).replaces
    assert inbox.list_alarms(night.board)[0].acknowledged_by == "eng"


def test_mentioned_staff_are_notified_and_customers_are_not(env: BoardEnv) -> None:
    sr = env.create_issue()
    said = "@김철수 확인 부탁드립니다. @lead @cus @db-agent `@pm`"
    comments.add_comment(env.board, sr, Actor.of(LEAD), said)
    assert told(env, NoticeKind.MENTION) == {"eng"}
