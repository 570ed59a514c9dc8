"""By which media a notice goes to a person, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guardia.board.core.notice_kinds import EMERGENCIES, NoticeKind
from guardia.board.notifications.policy import Preference, cut_text, plan_delivery
from guardia.org.notifications import Gateway, NotificationRules

SEOUL = ZoneInfo("Asia/Seoul")
NIGHT = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)  # 23:00 in Seoul
NOON = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
RULES = NotificationRules.model_validate(
    {"quiet": {"from": "22:00", "until": "07:00"}, "digest": "30m", "media": ["mail"]}
)


def plan(kind: NoticeKind, at: datetime, wanted: Preference | None = None, **more: bool):  # type: ignore[no-untyped-def]
    return plan_delivery(kind, wanted or Preference(), RULES, at, SEOUL, **more)


@pytest.mark.parametrize("kind", sorted(EMERGENCIES))
def test_an_emergency_ignores_quiet_hours_digests_and_refusals(kind: NoticeKind) -> None:
    found = plan(kind, NIGHT, Preference(media=(), digest_minutes=60))
    assert found.media == ("sms", "messenger", "mail") and found.due_at is None


def test_ordinary_notices_wait_for_the_morning_and_for_the_digest() -> None:
    morning = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    assert plan(NoticeKind.ASSIGNED, NIGHT).due_at == morning
    assert plan(NoticeKind.DUE, NIGHT).due_at == morning
    assert plan(NoticeKind.ASSIGNED, NOON).due_at == NOON + timedelta(minutes=30)
    assert plan(NoticeKind.DUE, NOON).due_at is None, "a decision waits for no digest"


def test_a_person_chooses_otherwise() -> None:
    own = Preference(media=("sms",), quiet_from="11:00", quiet_until="13:00", digest_minutes=0)
    found = plan(NoticeKind.ASSIGNED, NOON, own)
    assert found.media == ("sms",) and found.due_at == NOON + timedelta(hours=1)
    assert plan(NoticeKind.ASSIGNED, NIGHT, own).due_at is None
    assert plan(NoticeKind.ASSIGNED, NOON, Preference(media=())).media == ()


def test_what_the_room_shows_is_not_sent_twice() -> None:
    assert plan(NoticeKind.DONE, NOON, in_room=True).media == ()
    assert plan(NoticeKind.ALERT, NOON).media == ()


@given(st.text(max_size=80), st.integers(20, 90))
def test_a_text_is_cut_between_characters(text: str, limit: int) -> None:
    kept = cut_text(text, limit)
    assert len(kept.encode("cp949")) <= limit
    assert "\n" not in kept


def test_a_short_sms_keeps_ninety_bytes_of_korean() -> None:
    kept = cut_text("가" * 60, 90)
    assert kept == "가" * 44 + ".." and cut_text("가" * 45, 90) == "가" * 45
    assert cut_text("🚨 정지", 90) == "? 정지"


@pytest.mark.parametrize("bad", ["{phone.__class__}", "{other}", "{", "{text!r}", "{text:>9999}"])
def test_a_template_holds_known_names_only(bad: str) -> None:
    with pytest.raises(ValidationError):
        Gateway(url="http://gw.local/", fields={"to": bad})
