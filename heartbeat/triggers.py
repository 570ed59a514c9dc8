"""The moments at which an agent wakes on its own: the same on every host, including jitter."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from guardia.org import cron
from guardia.org.heartbeats import Heartbeat, parse_period

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
_LOOK_BACK = tuple(timedelta(seconds=s) for s in (120, 3600, 86_400, 8 * 86_400, 400 * 86_400))
MAX_CATCH_UP = 24
"""Most missed moments that are caught up on, the latest ones."""


class HeartbeatTrigger(BaseTrigger):  # type: ignore[misc]
    """An agent's moments, each identified by when it is due; as a trigger it adds the delay.

    The delay (jitter) is derived from the agent's name, so every host computes the same one.
    """

    def __init__(self, agent_id: str, heartbeat: Heartbeat) -> None:
        self.agent_id, self.heartbeat = agent_id, heartbeat
        self.delay = _delay(agent_id, heartbeat)
        zone = heartbeat.zone
        self._cron = (
            CronTrigger(**cron.scheduled_fields(heartbeat.cron), timezone=zone)
            if heartbeat.cron
            else None
        )

    def after(self, moment: datetime) -> datetime | None:
        """Return the first moment after this one; quiet hours move a moment to their end."""
        due, quiet = self._nominal(moment), self.heartbeat.quiet
        if quiet is None:
            return due
        end = quiet.next_end(moment, self.heartbeat.zone)
        if due is None or self.heartbeat.quiet_until(due) is not None:
            return end
        return min(due, end)

    def between(self, begin: datetime, end: datetime, limit: int = MAX_CATCH_UP) -> list[datetime]:
        """Return the latest moments in `(begin, end]`, in order."""
        # Many may have been missed; do not compute those long before the latest.
        for back in _LOOK_BACK:
            since = max(begin, end - back)
            found = deque(takewhile(lambda m: m <= end, self._moments_after(since)), maxlen=limit)
            if len(found) == limit or since == begin:
                break
        return list(found)

    def last(self, now: datetime) -> datetime | None:
        """Return the moment that is due at `now`: the latest whose delay has passed."""
        found = self.between(_EPOCH, now - self.delay, 1)
        return found[-1] if found else None

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return when APScheduler fires next."""
        due = self.after((previous_fire_time or now) - self.delay)
        return None if due is None else due + self.delay

    def _moments_after(self, moment: datetime) -> Iterator[datetime]:
        while (found := self.after(moment)) is not None:
            yield (moment := found)

    def _nominal(self, moment: datetime) -> datetime | None:
        if self._cron is None:
            every = self.heartbeat.interval
            return _EPOCH + ((moment - _EPOCH) // every + 1) * every
        found = self._cron.get_next_fire_time(None, moment + _INSTANT)
        return None if found is None else found.astimezone(UTC)


def _delay(agent_id: str, heartbeat: Heartbeat) -> timedelta:
    if heartbeat.jitter is None:
        return timedelta()
    fraction = int.from_bytes(hashlib.sha256(agent_id.encode()).digest()[:4]) / 2**32
    return parse_period(heartbeat.jitter) * fraction
