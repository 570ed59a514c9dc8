"""Jobs of the scheduler, and how it follows the org chart."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from audit_env import AuditEnv, open_audit_env
from board_env import seeded_env
from waiting import wait_until

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import beats, ticks
from guardia.heartbeat import schedule
from guardia.heartbeat.listener import CHART_KINDS, Reaction, listen
from guardia.org import chart


@pytest.fixture
def audit_env(database: Any, tmp_path: Path) -> Iterator[AuditEnv]:
    with seeded_env(database.app) as env:
        yield open_audit_env(env, database.superuser, tmp_path)


@pytest.fixture
def scheduler(audit_env: AuditEnv) -> Iterator[BackgroundScheduler]:
    found = schedule.HeartbeatScheduler(audit_env.board)
    found.start()
    yield found._scheduler
    found.stop()


def test_the_day_is_verified_at_midnight_of_the_company(scheduler: BackgroundScheduler) -> None:
    trigger = scheduler.get_job("audit:daily").trigger
    noon = datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, noon) == datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_the_audit_log_is_signed_every_minute_that_it_grew(
    audit_env: AuditEnv, scheduler: BackgroundScheduler
) -> None:
    job = scheduler.get_job("audit:sign")
    assert job.trigger.interval.total_seconds() == 60
    audit_env.write(1)
    job.func(*job.args)
    job.func(*job.args)
    assert len((audit_env.witness_files.copies[0] / "main.jsonl").read_text().splitlines()) == 1


def test_a_missing_report_is_alerted_as_soon_as_the_scheduler_starts(audit_env: AuditEnv) -> None:
    later = audit_env.board.clock() + timedelta(days=1, hours=2)
    board = replace(audit_env.board, clock=lambda: later)
    scheduler = schedule.HeartbeatScheduler(board)
    scheduler.start()
    try:
        assert (
            scheduler._scheduler.get_job("audit:missing").trigger.interval.total_seconds() == 3600
        )
        assert wait_until(lambda: alerted(audit_env))
    finally:
        scheduler.stop()


def test_a_missed_midnight_is_made_up_for_when_the_board_is_back(
    audit_env: AuditEnv,
) -> None:
    later = audit_env.board.clock() + timedelta(days=1)
    scheduler = schedule.HeartbeatScheduler(replace(audit_env.board, clock=lambda: later))
    for _ in range(2):
        scheduler.resume()
    with psycopg.connect(audit_env.superuser) as connection:
        rows = connection.execute("select from tb_wake where reason = 'daily'").fetchall()
        assert len(rows) == 1


def test_work_is_retried_until_the_database_is_back(
    audit_env: AuditEnv, scheduler: BackgroundScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_AGAIN", timedelta())
    tried: list[int] = []

    def fail_twice() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise psycopg.OperationalError("the database restarts")

    scheduler.get_job("audit:daily").func("midnight", fail_twice)
    assert wait_until(lambda: len(tried) == 3)


def alerted(audit_env: AuditEnv) -> bool:
    with psycopg.connect(audit_env.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert'").fetchall()
        return any("일일 감사 로그 검증 보고" in row[0] for row in rows)


def test_sweeps_run_once_a_minute(scheduler: BackgroundScheduler) -> None:
    for sweep in ("approvals:due", "budgets:due", "standing:due"):
        assert scheduler.get_job(sweep).trigger.interval.total_seconds() == 60


def chart_with(every: str, *, catch_up: str = "once") -> str:
    text = chart.shipped_chart_path().read_text("utf-8")
    text = text.replace(
        "heartbeat: {every: 10m}", f"heartbeat: {{every: 10m, catch_up: {catch_up}}}"
    )
    return text.replace("{every: 1h}", f"{{every: {every}}}")


@contextmanager
def following(scheduler: schedule.HeartbeatScheduler, board: BoardContext) -> Iterator[None]:
    """Reload this scheduler after board events, as a worker does."""
    loop = asyncio.new_event_loop()
    reaction = Reaction(CHART_KINDS, scheduler.reload, on_missed=scheduler.resume)
    task = loop.create_task(listen(board, (reaction,)))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


def every(scheduler: schedule.HeartbeatScheduler, agent: str) -> str | None:
    found = scheduler.find_trigger(agent)
    return found.heartbeat.every if found else None


@pytest.mark.slow
def test_the_scheduler_follows_the_chart_and_catches_up_after_a_disconnect(
    audit_env: AuditEnv, database: Any
) -> None:
    scheduler = schedule.HeartbeatScheduler(audit_env.board)
    scheduler.start()
    try:
        assert every(scheduler, "auditor") == "1h"
        with following(scheduler, audit_env.board):
            organization_chart.apply_chart(
                audit_env.board, chart_with("2h"), Actor.operator("test")
            )
            assert wait_until(lambda: every(scheduler, "auditor") == "2h")
            # The chart changes again while the listener is disconnected.
            with psycopg.connect(database.superuser, autocommit=True) as connection:
                connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where query like 'listen%' and datname = current_database()"
                )
            hired = chart_with("3h").replace("- id: sec-agent", "- id: net-agent")
            organization_chart.apply_chart(audit_env.board, hired, Actor.operator("test"))
            assert wait_until(lambda: every(scheduler, "auditor") == "3h")
            assert every(scheduler, "net-agent") == "10m" and every(scheduler, "sec-agent") is None
    finally:
        scheduler.stop()


@pytest.mark.parametrize(("policy", "expected"), [("skip", 0), ("once", 1), ("all", 3)])
def test_missed_ticks_are_made_up_for_as_the_chart_says(
    audit_env: AuditEnv, policy: str, expected: int
) -> None:
    organization_chart.apply_chart(
        audit_env.board, chart_with("1h", catch_up=policy), Actor.operator("test")
    )
    audit_env.env.create_issue()
    start = audit_env.board.clock()
    ten = timedelta(minutes=10)
    last = start - (start - datetime(1970, 1, 1, tzinfo=UTC)) % ten
    assert ticks.tick(audit_env.board, "dispatcher", last)
    beats.begin(audit_env.board, "dispatcher")
    scheduler = schedule.HeartbeatScheduler(replace(audit_env.board, clock=lambda: last + 3 * ten))
    scheduler.reload()
    scheduler.catch_up()
    scheduler.catch_up()
    with psycopg.connect(audit_env.superuser) as connection:
        kept = connection.execute("select count(*) from tb_tick where agent_id = 'dispatcher'")
        assert kept.fetchone() == (1 + expected,)


def test_a_chart_that_cannot_be_read_leaves_the_last_good_one_in_use(
    audit_env: AuditEnv, database: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "insert into tb_org_revision (chart, sha256, author, created_at)"
            " values ('company: {name: x, timezone: Moon/Base}', repeat('0', 64), 'x', now())"
        )
    scheduler = schedule.HeartbeatScheduler(audit_env.board)
    scheduler.start()
    try:
        assert scheduler.find_trigger("db-agent") is not None
        assert "revision 1 is used" in caplog.text
    finally:
        scheduler.stop()
