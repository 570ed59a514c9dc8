"""When agents wake by themselves: a clock on every host, each tick kept once in the database."""

from __future__ import annotations

from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from guardia.board.desk import Desk, waking
from guardia.org.chart import OrgChart

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    scheduler.start()
    return scheduler


def _tick(desk: Desk, agent_id: str, seconds: int) -> None:
    now = int(desk.clock().timestamp())
    waking.tick(desk, agent_id, datetime.fromtimestamp(now - now % seconds, UTC))
