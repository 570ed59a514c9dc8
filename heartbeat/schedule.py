"""When agents wake by themselves: a clock on every host, each tick kept once in the database.

The clock also signs the record each minute in which it grew, begins the day's full verification,
and looks for days without one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from guardia.board.desk import Desk, auditing, due, waking
from guardia.org.chart import OrgChart

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEAL_EVERY = 60
_HOUR = 3600
_LOOK = 60
"""Seconds between two looks at approvals that are due and windows that open."""


def clock(desk: Desk, chart: OrgChart) -> BackgroundScheduler:
    """A started scheduler that ticks for every agent; shut it down with the process."""
    scheduler = BackgroundScheduler(timezone=UTC)
    for agent in chart.agents:
        seconds = agent.heartbeat.seconds
        scheduler.add_job(
            _tick,
            # Counted from a fixed moment, so that all hosts name the same ticks.
            IntervalTrigger(seconds=seconds, start_date=_EPOCH, timezone=UTC),
            args=(desk, agent.id, seconds),
            id=agent.id,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=seconds,
        )
    _record(scheduler, desk)
    scheduler.add_job(
        due.look,
        IntervalTrigger(seconds=_LOOK, start_date=_EPOCH, timezone=UTC),
        args=(desk,),
        id="due",
        coalesce=True,
        max_instances=1,
        misfire_grace_time=_LOOK,
    )
    scheduler.start()
    return scheduler


def _record(scheduler: BackgroundScheduler, desk: Desk) -> None:
    """What the clock does for the record."""
    once = {"args": (desk,), "coalesce": True, "max_instances": 1}
    minute = IntervalTrigger(seconds=_SEAL_EVERY, timezone=UTC)
    scheduler.add_job(_seal, minute, id="record:seal", misfire_grace_time=_SEAL_EVERY, **once)
    midnight = CronTrigger(hour=0, minute=0, timezone=auditing.zone(desk))
    scheduler.add_job(
        auditing.begin_daily, midnight, id="record:daily", misfire_grace_time=_HOUR, **once
    )
    hourly = IntervalTrigger(seconds=_HOUR, timezone=UTC)
    scheduler.add_job(
        auditing.miss,
        hourly,
        id="record:miss",
        # At once too: whoever starts after a night off must hear of it.
        next_run_time=datetime.now(UTC),
        misfire_grace_time=_HOUR,
        **once,
    )


def _seal(desk: Desk) -> None:
    if desk.notary is not None:
        desk.notary.seal(desk)


def _tick(desk: Desk, agent_id: str, seconds: int) -> None:
    now = int(desk.clock().timestamp())
    waking.tick(desk, agent_id, datetime.fromtimestamp(now - now % seconds, UTC))
