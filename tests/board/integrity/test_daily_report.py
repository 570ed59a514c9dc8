from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from audit_env import AuditEnv

from guardia.board.core.actors import Actor
from guardia.board.integrity import daily_report
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Misconfigured
from guardia.org import chart

SEOUL = ZoneInfo("Asia/Seoul")


def at(sealed: AuditEnv, moment: datetime) -> AuditEnv:
    """Return the same board at another time."""
    return replace(sealed, board=replace(sealed.board, clock=lambda: moment))


def midnight(sealed: AuditEnv, days: int) -> datetime:
    """Return the start of a day, counted from the day of the first audit entry."""
    first = sealed.links()[0].created_at.astimezone(SEOUL).date()
    return datetime.combine(first + timedelta(days=days), datetime.min.time(), SEOUL)


def alerts(sealed: AuditEnv) -> list[str]:
    with psycopg.connect(sealed.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert' order by 1")
        return [row[0] for row in rows]


def reasons(sealed: AuditEnv) -> tuple[str, ...]:
    begun = beats.begin(sealed.board, "auditor")
    if begun is None:
        return ()
    beats.end(sealed.board, begun, "intact", task_id=None, steps=0)
    return begun.reasons


def today() -> date:
    return datetime.now(UTC).astimezone(SEOUL).date()


def test_the_days_report_is_an_entry_of_a_full_verification(sealed: AuditEnv) -> None:
    sealed.write(2)
    sealed.sign_checkpoint()
    daily_report.verify_and_log(sealed.board, Actor.agent("auditor"))
    board = sealed.board
    before = today(), daily_report.company_today(board)
    found = daily_report.verify_and_log(sealed.board, Actor.agent("auditor"), daily=True)
    after = daily_report.company_today(board), today()
    assert found.start == 0
    entry = sealed.links()[-1]
    assert entry.kind == "verified_daily"
    assert date.fromisoformat(entry.detail["day"]) in {before[1], after[0]}
    assert before[0] <= before[1] <= after[0] <= after[1]


def test_a_broken_log_alerts_and_names_the_entry(sealed: AuditEnv) -> None:
    sealed.write(4)
    sealed.sign_checkpoint()
    sealed.attack("update tb_audit_log set actor = 'x' where seq = 3")
    found = daily_report.verify_and_log(sealed.board, Actor.agent("auditor"))
    assert found.verdict.bad == 3
    assert ["3번 항목" in text for text in alerts(sealed)] == [True]
    assert sealed.links()[-1].kind == "broken"
    assert sealed.links()[-1].detail["bad"] == 3


def test_a_broken_checkpoint_is_named_in_words(sealed: AuditEnv) -> None:
    size = sealed.sign_checkpoint()
    sealed.attack("update tb_audit_checkpoint set signature = 'ff'")
    daily_report.verify_and_log(sealed.board, Actor.agent("auditor"))
    assert [f"항목 {size}건의 체크포인트" in text for text in alerts(sealed)] == [True]


def test_each_day_is_verified_once_across_hosts(sealed: AuditEnv) -> None:
    now = at(sealed, midnight(sealed, 1) + timedelta(seconds=1))
    for _ in range(2):
        daily_report.start_daily_verification(now.board)
    assert reasons(now) == ("daily",)
    assert reasons(now) == ()
    # The hourly tick at the same time is a different one.
    assert beats.tick(now.board, "auditor", midnight(sealed, 1))


def test_the_first_day_needs_no_report(sealed: AuditEnv) -> None:
    assert daily_report.alert_missing_reports(at(sealed, sealed.links()[0].created_at).board) == []
    assert reasons(sealed) == ()


def test_a_missing_report_alerts_once_for_each_day_and_is_caught_up(sealed: AuditEnv) -> None:
    later = at(sealed, midnight(sealed, 2) + timedelta(hours=9))
    days = [midnight(sealed, n).date() for n in (1, 2)]
    assert daily_report.alert_missing_reports(later.board) == days
    assert daily_report.alert_missing_reports(later.board) == []
    assert len(alerts(sealed)) == 2
    assert all(day.isoformat() in text for day, text in zip(days, alerts(sealed), strict=True))
    assert [link.kind for link in sealed.links()][-2:] == ["report_missing"] * 2
    assert reasons(later) == ("daily",)


def test_an_existing_report_raises_no_alert(sealed: AuditEnv) -> None:
    now = at(sealed, midnight(sealed, 1) + timedelta(minutes=5))
    assert daily_report.alert_missing_reports(now.board) == []  # it may still be running
    daily_report.verify_and_log(now.board, Actor.agent("auditor"), daily=True)
    assert (
        daily_report.alert_missing_reports(
            at(sealed, midnight(sealed, 1) + timedelta(hours=20)).board
        )
        == []
    )
    assert alerts(sealed) == []


def test_an_ordinary_verification_is_not_a_daily_report(sealed: AuditEnv) -> None:
    now = at(sealed, midnight(sealed, 1) + timedelta(hours=2))
    daily_report.verify_and_log(now.board, Actor.agent("auditor"))
    assert len(daily_report.alert_missing_reports(now.board)) == 1


def test_an_unknown_time_zone(sealed: AuditEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8").replace("Asia/Seoul", "Asia/Nowhere")
    with pytest.raises(Misconfigured):
        organization_chart.apply_chart(sealed.board, text, Actor.operator("test"))
