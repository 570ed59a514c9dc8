from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from audit_env import AuditEnv

from guardia.board.integrity import daily_report
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats
from guardia.errors import Misconfigured
from guardia.org import chart

SEOUL = ZoneInfo("Asia/Seoul")


def at(audit_env: AuditEnv, moment: datetime) -> AuditEnv:
    """The same board at another time."""
    return replace(audit_env, board=replace(audit_env.board, clock=lambda: moment))


def midnight(audit_env: AuditEnv, days: int) -> datetime:
    """The beginning of a day, counted from the one on which the record began."""
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


def test_the_days_report_is_an_entry_of_a_full_verification(audit_env: AuditEnv) -> None:
    audit_env.write(2)
    audit_env.sign_checkpoint()
    daily_report.verify_and_log(audit_env.board, "agent:auditor")
    found = daily_report.verify_and_log(audit_env.board, "agent:auditor", daily=True)
    assert found.start == 0
    entry = audit_env.links()[-1]
    assert entry.kind == "verified_daily"
    today = datetime.now(UTC).astimezone(SEOUL).date()
    assert entry.detail["day"] == daily_report.company_today(audit_env.board).isoformat()
    assert date.fromisoformat(entry.detail["day"]) - today <= timedelta(days=1)


def test_a_broken_record_alerts_and_names_the_entry(audit_env: AuditEnv) -> None:
    audit_env.write(4)
    audit_env.sign_checkpoint()
    audit_env.attack("update tb_audit_log set actor = 'x' where seq = 3")
    found = daily_report.verify_and_log(audit_env.board, "agent:auditor")
    assert found.verdict.bad == 3
    assert ["3번 항목" in text for text in alerts(audit_env)] == [True]
    assert audit_env.links()[-1].kind == "broken"
    assert audit_env.links()[-1].detail["bad"] == 3


def test_a_broken_checkpoint_is_named_in_words(audit_env: AuditEnv) -> None:
    size = audit_env.sign_checkpoint()
    audit_env.attack("update tb_audit_checkpoint set signature = 'ff'")
    daily_report.verify_and_log(audit_env.board, "agent:auditor")
    assert [f"항목 {size}건의 체크포인트" in text for text in alerts(audit_env)] == [True]


def test_each_day_is_begun_once_whoever_ticks(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(seconds=1))
    for _ in range(2):
        daily_report.start_daily_verification(now.board)
    assert reasons(now) == ("daily",)
    assert reasons(now) == ()
    # The hourly tick of the same moment is another one.
    assert beats.tick(now.board, "auditor", midnight(audit_env, 1))


def test_the_first_day_needs_no_report(audit_env: AuditEnv) -> None:
    assert (
        daily_report.alert_missing_reports(at(audit_env, audit_env.links()[0].created_at).board)
        == []
    )
    assert reasons(audit_env) == ()


def test_a_missing_report_alerts_once_for_each_day_and_is_made_up_for(audit_env: AuditEnv) -> None:
    later = at(audit_env, midnight(audit_env, 2) + timedelta(hours=9))
    days = [midnight(audit_env, n).date() for n in (1, 2)]
    assert daily_report.alert_missing_reports(later.board) == days
    assert daily_report.alert_missing_reports(later.board) == []
    assert len(alerts(audit_env)) == 2
    assert all(day.isoformat() in text for day, text in zip(days, alerts(audit_env), strict=True))
    assert [link.kind for link in audit_env.links()][-2:] == ["report_missing"] * 2
    assert reasons(later) == ("daily",)


def test_a_report_that_is_there_is_not_missed(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(minutes=5))
    assert daily_report.alert_missing_reports(now.board) == []  # it may still be at work
    daily_report.verify_and_log(now.board, "agent:auditor", daily=True)
    assert (
        daily_report.alert_missing_reports(
            at(audit_env, midnight(audit_env, 1) + timedelta(hours=20)).board
        )
        == []
    )
    assert alerts(audit_env) == []


def test_an_ordinary_verification_is_no_daily_report(audit_env: AuditEnv) -> None:
    now = at(audit_env, midnight(audit_env, 1) + timedelta(hours=2))
    daily_report.verify_and_log(now.board, "agent:auditor")
    assert len(daily_report.alert_missing_reports(now.board)) == 1


def test_a_time_zone_that_nobody_knows(audit_env: AuditEnv) -> None:
    text = chart.shipped_chart_path().read_text("utf-8").replace("Asia/Seoul", "Asia/Nowhere")
    with pytest.raises(Misconfigured):
        organization_chart.apply_chart(audit_env.board, text, "operator:test")
