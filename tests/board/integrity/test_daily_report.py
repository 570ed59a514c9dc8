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
from guardia.board.runs import beats, ticks
from guardia.errors import Misconfigured
from guardia.org import chart

SEOUL = ZoneInfo("Asia/Seoul")


def at(audit_env: AuditEnv, moment: datetime) -> AuditEnv:
    """Return the same board at another time."""
    return replace(audit_env, board=replace(audit_env.board, clock=lambda: moment))


def midnight(audit_env: AuditEnv, days: int) -> datetime:
    """Return the start of a day, counted from the day of the first audit entry."""
    first = audit_env.links()[0].created_at.astimezone(SEOUL).date()
    return datetime.combine(first + timedelta(days=days), datetime.min.time(), SEOUL)


def alerts(audit_env: AuditEnv) -> list[str]:
    with psycopg.connect(audit_env.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert' order by 1")
        return [row[0] for row in rows]


def reasons(audit_env: AuditEnv) -> tuple[str, ...]:
    begun = beats.begin(audit_env.board, "auditor")
    if begun is None:
        return ()
    beats.end(audit_env.board, begun, "intact", task_id=None, steps=0)
    return begun.reasons


def today() -> date:
    return datetime.now(UTC).astimezone(SEOUL).date()


def test_the_days_report_is_an_entry_of_a_full_verification(audit_env: AuditEnv) -> None:
    audit_env.write(2)
    audit_env.sign_checkpoint()
    daily_report.verify_and_log(audit_env.board, Actor.agent("auditor"))
    board = audit_env.board
    before = today(), daily_report.company_today(board)
    found = daily_report.verify_and_log(audit_env.board, Actor.agent("auditor"), daily=True)
    after = daily_report.company_today(board), today()
    assert found.start == 0
    entry = audit_env.links()[-1]
    assert entry.kind == "verified_daily"
    assert date.fromisoformat(entry.detail["day"]) in {before[1], after[0]}
    assert before[0] <= before[1] <= after[0] <= after[1]


def test_a_broken_log_alerts_and_names_the_entry(audit_env: AuditEnv) -> None:
    audit_env.write(4)
    audit_env.sign_checkpoint()
    audit_env.attack("update tb_audit_log set actor = 'x' where seq = 3")
    found = daily_report.verify_and_log(audit_env.board, Actor.agent("auditor"))
    assert found.verdict.bad == 3
    assert ["3번 항목" in text for text in alerts(audit_env)] == [True]
    assert audit_env.links()[-1].kind == "broken"
    assert audit_env.links()[-1].detail["bad"] == 3


def test_a_broken_checkpoint_is_named_in_words(audit_env: AuditEnv) -> None:
    size = audit_env.sign_checkpoint()
    audit_env.attack("update tb_audit_checkpoint set signature = 'ff'")
    daily_report.verify_and_log(audit_env.board, Actor.agent("auditor"))
    assert [f"항목 {size}건의 체크포인트" in text for text in alerts(audit_env)] == [True]


def test_each_day_is_verified_once_across_hosts(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(seconds=1))
    for _ in range(2):
        daily_report.start_daily_verification(now.board)
    assert reasons(now) == ("daily",)
    assert reasons(now) == ()
    # The hourly tick at the same time is a different one.
    assert ticks.tick(now.board, "auditor", midnight(audit_env, 1))


def test_the_first_day_needs_no_report(audit_env: AuditEnv) -> None:
    first = at(audit_env, audit_env.links()[0].created_at)
    assert daily_report.alert_missing_reports(first.board) == []
    assert reasons(audit_env) == ()


def test_a_missing_report_alerts_once_for_each_day_and_is_caught_up(audit_env: AuditEnv) -> None:
    later = at(audit_env, midnight(audit_env, 2) + timedelta(hours=9))
    days = [midnight(audit_env, n).date() for n in (1, 2)]
    assert daily_report.alert_missing_reports(later.board) == days
    assert daily_report.alert_missing_reports(later.board) == []
    assert len(alerts(audit_env)) == 2
    assert all(day.isoformat() in text for day, text in zip(days, alerts(audit_env), strict=True))
    assert [link.kind for link in audit_env.links()][-2:] == ["report_missing"] * 2
    assert reasons(later) == ("daily",)


def test_an_existing_report_raises_no_alert(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(minutes=5))
    assert daily_report.alert_missing_reports(now.board) == []  # it may still be running
    daily_report.verify_and_log(now.board, Actor.agent("auditor"), daily=True)
    assert (
        daily_report.alert_missing_reports(
            at(audit_env, midnight(audit_env, 1) + timedelta(hours=20)).board
        )
        == []
    )
    assert alerts(audit_env) == []


def test_an_ordinary_verification_is_not_a_daily_report(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(hours=2))
    daily_report.verify_and_log(now.board, Actor.agent("auditor"))
    assert len(daily_report.alert_missing_reports(now.board)) == 1


def test_an_unknown_time_zone(audit_env: AuditEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8").replace("Asia/Seoul", "Asia/Nowhere")
    with pytest.raises(Misconfigured):
        organization_chart.apply_chart(audit_env.board, text, Actor.operator("test"))
