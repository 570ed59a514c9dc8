"""When agents wake by themselves: a clock on every host, each tick kept once in the database.

The clock follows the org chart that is applied. It also signs the record each minute in which it
grew, begins the day's full verification, and looks for days without one.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta

from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from guardia.board.desk import Desk, auditing, due, waking
from guardia.heartbeat.moments import Moments
from guardia.org import revisions

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEAL_EVERY = 60
_HOUR = 3600
_LOOK = 60
"""Seconds between two looks at approvals that are due and windows that open."""
_KEEP = timedelta(days=7)
"""How long kept ticks stay; a series' latest always does."""
_AGENT = "agent:"


class Clock:
    """Fires the moments of every agent of the applied chart, from ``start`` until ``stop``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._following = threading.Lock()

    def start(self) -> None:
        """Begin to tick, after telling of what was missed."""
        _record(self._scheduler, self._desk)
        _upkeep(self._scheduler, self._desk)
        self.resume()
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def resume(self) -> None:
        """After nobody listened for a while: follow the chart, and tell of what was missed."""
        self.follow()
        self.catch_up()

    def job(self, name: str) -> Moments | None:
        """The moments of an agent that the clock knows."""
        found = self._scheduler.get_job(_AGENT + name)
        return found.trigger if found else None

    def follow(self) -> None:
        """Do as the applied chart says now: add, change and remove agents' moments."""
        with self._following:
            with self._desk.database.reading() as session:
                chart = revisions.running(session)
            wanted = {a.id: a.heartbeat for a in chart.agents}
            for job in self._agent_jobs():
                if wanted.get(job.trigger.agent_id) == job.trigger.heartbeat:
                    del wanted[job.trigger.agent_id]
                elif job.trigger.agent_id not in wanted:
                    self._scheduler.remove_job(job.id)
            for agent_id, heartbeat in wanted.items():
                self._add(Moments(agent_id, heartbeat))

    def catch_up(self) -> None:
        """Tell of the moments that passed while nobody looked, as each agent's policy says."""
        last, now = waking.last_ticks(self._desk), self._desk.clock()
        for job in self._agent_jobs():
            moments: Moments = job.trigger
            policy, since = moments.heartbeat.catch_up, last.get(moments.agent_id)
            if since is None or policy == "skip":
                continue
            missed = moments.between(since, now - moments.delay)
            for moment in missed if policy == "all" else missed[-1:]:
                waking.tick(self._desk, moments.agent_id, moment)

    def _agent_jobs(self) -> list[Job]:
        return [j for j in self._scheduler.get_jobs() if j.id.startswith(_AGENT)]

    def _add(self, moments: Moments) -> None:
        self._scheduler.add_job(
            _tick,
            moments,
            args=(self._desk, moments),
            id=_AGENT + moments.agent_id,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            # However late: the moment is named by when it was due.
            misfire_grace_time=None,
        )


def _tick(desk: Desk, moments: Moments) -> None:
    moment = moments.last(desk.clock())
    if moment is not None:
        waking.tick(desk, moments.agent_id, moment)


def _upkeep(scheduler: BackgroundScheduler, desk: Desk) -> None:
    """What the clock does for people who wait, and for itself."""
    once = {"args": (desk,), "coalesce": True, "max_instances": 1}
    minute = IntervalTrigger(seconds=_LOOK, start_date=_EPOCH, timezone=UTC)
    scheduler.add_job(due.look, minute, id="due", misfire_grace_time=_LOOK, **once)
    hourly = IntervalTrigger(seconds=_HOUR, timezone=UTC)
    scheduler.add_job(_forget, hourly, id="forget", misfire_grace_time=_HOUR, **once)


def _forget(desk: Desk) -> None:
    waking.forget(desk, desk.clock() - _KEEP)


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
    desk.attest()
