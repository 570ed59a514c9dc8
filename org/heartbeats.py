"""When an agent wakes on its own, as set in org_chart.yaml.

Types and their validation only; `heartbeat.triggers` computes the moments.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t
from guardia.org import cron as crontab
from guardia.org.approvals import DAYS, Day
from guardia.org.zones import is_zone

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _check_period(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,4}[smhd]", text):
        raise ValueError(t("org.heartbeat.period"))
    return text


def _check_clock(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(t("org.heartbeat.clock"))
    return text


def _check_zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(t("org.heartbeat.zone", name=name))
    return name


def _check_cron(text: str) -> str:
    try:
        crontab.parse(text)
    except ValueError as error:
        raise ValueError(t("org.heartbeat.cron")) from error
    if crontab.restricts_both_day_fields(text):
        raise ValueError(t("org.heartbeat.two_days"))
    return text


PeriodText = Annotated[str, AfterValidator(_check_period)]
ClockText = Annotated[str, AfterValidator(_check_clock)]


def parse_period(text: str) -> timedelta:
    """Parse a duration such as `10m` or `2d`."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class _Entry(BaseModel):
    # Values stay as written, so that a stored entry parses exactly like the file.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class QuietHours(_Entry):
    """Hours in which an agent is not woken for anything that can wait."""

    begins: ClockText = Field(alias="from")
    ends: ClockText = Field(alias="until")
    days: tuple[Day, ...] = DAYS

    @model_validator(mode="after")
    def _not_empty(self) -> QuietHours:
        if self.begins == self.ends or not self.days:
            raise ValueError(t("org.heartbeat.quiet"))
        return self

    def until(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the quiet hours that include `moment` end, or `None` outside quiet hours."""
        spans = self._spans(moment, zone)
        return next((end for begin, end in spans if begin <= moment < end), None)

    def next_end(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first end of quiet hours after `moment`."""
        return min(end for _, end in self._spans(moment, zone) if end > moment)

    def _spans(self, moment: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """Return the quiet hours of the surrounding days in UTC.

        Within one zone, Python compares wall clocks without their offset.
        """
        today = moment.astimezone(zone).date()
        days = [today + timedelta(days=n) for n in range(-1, 9)]
        return [self._span(day, zone) for day in days if DAYS[day.weekday()] in self.days]

    def _span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        begin, end = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
        ends_on = day if end > begin else day + timedelta(days=1)
        return (
            datetime.combine(day, begin, zone).astimezone(UTC),
            datetime.combine(ends_on, end, zone).astimezone(UTC),
        )


class Heartbeat(_Entry):
    """When an agent wakes if nothing else wakes it, and how long a beat may take."""

    every: PeriodText = "10m"
    cron: Annotated[str, AfterValidator(_check_cron)] | None = None
    timezone: Annotated[str, AfterValidator(_check_zone)] | None = None
    quiet: QuietHours | None = None
    jitter: PeriodText | None = None
    timeout: PeriodText = "1h"
    catch_up: Literal["skip", "once", "all"] = "once"

    @property
    def interval(self) -> timedelta:
        """Time between two beats if there is no cron expression."""
        return parse_period(self.every)

    @property
    def beat_timeout(self) -> timedelta:
        """How long one beat may take."""
        return parse_period(self.timeout)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of cron and quiet hours; the chart fills in the company's."""
        return ZoneInfo(self.timezone or "UTC")

    def quiet_until(self, moment: datetime) -> datetime | None:
        """Return when something that can wait may wake the agent; `None` if now."""
        return self.quiet.until(moment, self.zone) if self.quiet else None
