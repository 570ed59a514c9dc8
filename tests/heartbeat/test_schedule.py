"""What the clock is set to; that each tick counts once is the desk's business."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from cast import seated
from sealing import Sealed, sealing

from guardia.heartbeat import schedule
from guardia.org import chart


@pytest.fixture
def sealed(database: Any, tmp_path: Path) -> Iterator[Sealed]:
    with seated(database.app) as cast:
        yield sealing(cast, database.superuser, tmp_path)


@pytest.fixture
def clock(sealed: Sealed) -> Iterator[BackgroundScheduler]:
    running = chart.parse(chart.shipped().read_text("utf-8"))
    found = schedule.clock(sealed.desk, running)
    yield found
    found.shutdown()


def test_the_day_is_verified_at_midnight_of_the_company(clock: BackgroundScheduler) -> None:
    trigger = clock.get_job("record:daily").trigger
    noon = datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, noon) == datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_the_record_is_signed_every_minute_that_it_grew(
    sealed: Sealed, clock: BackgroundScheduler
) -> None:
    job = clock.get_job("record:seal")
    assert job.trigger.interval.total_seconds() == 60
    sealed.write(1)
    job.func(*job.args)
    job.func(*job.args)
    assert len((sealed.places.copies[0] / "main.jsonl").read_text().splitlines()) == 1
    job.func(replace(sealed.desk, notary=None))


def test_a_missing_report_is_told_as_soon_as_the_clock_starts(sealed: Sealed) -> None:
    later = sealed.desk.clock() + timedelta(days=1, hours=2)
    desk = replace(sealed.desk, clock=lambda: later)
    clock = schedule.clock(desk, chart.parse(chart.shipped().read_text("utf-8")))
    try:
        assert clock.get_job("record:miss").trigger.interval.total_seconds() == 3600
        deadline = time.monotonic() + 10
        while not alerted(sealed) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alerted(sealed)
    finally:
        clock.shutdown()


def alerted(sealed: Sealed) -> bool:
    with psycopg.connect(sealed.superuser) as connection:
        rows = connection.execute("select text from tb_outbox where kind = 'alert'").fetchall()
        return any("일일 감사 검증 보고" in row[0] for row in rows)


def test_what_is_due_is_looked_at_once_a_minute(clock: BackgroundScheduler) -> None:
    assert clock.get_job("due").trigger.interval.total_seconds() == 60
