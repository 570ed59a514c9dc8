"""When an agent wakes by itself, as org_chart.yaml says it. Types and their validation only;
``heartbeat.moments`` computes the moments."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t
from guardia.org import cron as crontab
from guardia.org.approvals import DAYS, Day

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _check_period(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,4}[smhd]", text):
        raise ValueError(t("org.heartbeat.period"))
    return text


def _check_clock(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(t("org.heartbeat.clock"))
    return text


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(t("org.heartbeat.zone", name=name)) from error
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
    """The duration that ``10m`` or ``2d`` stands for."""
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class _Entry(BaseModel):
    # Kept as it is written, so that a stored entry is read again like the file.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class QuietHours(_Entry):
    """Hours in which an agent is not woken by what can wait."""

    begins: ClockText = Field(alias="from")
    ends: ClockText = Field(alias="until")
    days: tuple[Day, ...] = DAYS

    @model_validator(mode="after")
    def _lasts(self) -> QuietHours:
        if self.begins == self.ends or not self.days:
            raise ValueError(t("org.heartbeat.quiet"))
        return self

    def until(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours that hold at ``moment`` end; ``None`` where none do."""
        spans = self._spans(moment, zone)
        return next((end for begin, end in spans if begin <= moment < end), None)

    def next_end(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first end of quiet hours later than ``moment``."""
        return min(end for _, end in self._spans(moment, zone) if end > moment)

    def _spans(self, moment: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """Around that day, in UTC: wall clocks of one zone compare without their offset."""
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
    """When an agent wakes when nothing wakes it, and how long a beat may take."""

    every: PeriodText = "10m"
    cron: Annotated[str, AfterValidator(_check_cron)] | None = None
    timezone: Annotated[str, AfterValidator(_check_zone)] | None = None
    quiet: QuietHours | None = None
    jitter: PeriodText | None = None
    timeout: PeriodText = "1h"
    catch_up: Literal["skip", "once", "all"] = "once"

    @property
    def interval(self) -> timedelta:
        """Between two beats, where there is no cron."""
        return parse_period(self.every)

    @property
    def limit(self) -> timedelta:
        """How long one beat may take."""
        return parse_period(self.timeout)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of cron and quiet hours; a chart fills in the company's."""
        return ZoneInfo(self.timezone or "UTC")

    def quiet_until(self, moment: datetime) -> datetime | None:
        """When what can wait wakes the agent; ``None`` where it need not wait."""
        return self.quiet.until(moment, self.zone) if self.quiet else None
