"""The chart's service levels: work hours, targets by priority and category, who is warned."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t
from guardia.org.approvals import ClockTime, Day, Period
from guardia.text import CleanStr

Priority = Literal["P1", "P2", "P3", "P4"]
CountedHours = Literal["business", "always"]
EscalationRole = Literal["team_lead", "pm", "security_officer", "admin"]
DEFAULT_PRIORITY: Priority = "P3"
"""Counts until triage has found the priority."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class BreakTime(_Entry):
    """A break in the middle of the work hours."""

    begins: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="until")


_LUNCH = BreakTime(begins="12:00", ends="13:00")


class WorkHours(_Entry):
    """Hours that clocks of `hours: business` count; never on public holidays."""

    days: tuple[Day, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), min_length=1)
    begins: ClockTime = Field(default=time(9), alias="from", json_schema_extra={"default": "09:00"})
    ends: ClockTime = Field(default=time(18), alias="until", json_schema_extra={"default": "18:00"})
    lunch: BreakTime | None = _LUNCH
    """`null`: no break."""

    @model_validator(mode="after")
    def _ordered(self) -> WorkHours:
        lunch = self.lunch
        inside = lunch is None or (self.begins <= lunch.begins < lunch.ends <= self.ends)
        empty = lunch is not None and (lunch.begins, lunch.ends) == (self.begins, self.ends)
        if self.begins >= self.ends or not inside or empty:
            raise ValueError(t("org.chart.work_hours"))
        return self


class Target(_Entry):
    """How long the first response and the resolution may take."""

    response: Period
    resolution: Period
    hours: CountedHours = "business"
    """`always`: the clock also runs at night and on holidays."""

    @model_validator(mode="after")
    def _ordered(self) -> Target:
        if self.response > self.resolution:
            raise ValueError(t("org.chart.target"))
        return self


def _default_targets() -> dict[Priority, Target]:
    return {
        "P1": Target(response="15m", resolution="2h", hours="always"),
        "P2": Target(response="30m", resolution="4h"),
        "P3": Target(response="2h", resolution="8h"),
        "P4": Target(response="4h", resolution="24h"),
    }


class ServiceLevels(_Entry):
    """Within which time requests are answered and resolved, and what happens if they are not."""

    hours: WorkHours = WorkHours()
    targets: dict[Priority, Target] = Field(default_factory=_default_targets)
    """By priority; a priority without a target has no clock."""
    categories: dict[CleanStr, dict[Priority, Target]] = {}
    """Targets of a category, before the general ones."""
    warn_at: int = Field(default=80, ge=1, le=99)
    """Percent of the target after which the people responsible are warned."""
    escalate_after: int = Field(default=50, ge=1, le=1000)
    """Percent of the target by which it is exceeded before it escalates."""
    escalate_to: tuple[EscalationRole, ...] = ("pm",)
    """Roles that then learn of it."""
    reopen_within: Period = Field(default=timedelta(days=7), json_schema_extra={"default": "7d"})
    """How long after its end "not resolved" reopens a request; later it opens another one."""

    contact: CleanStr = Field(default="", max_length=200)
    """A telephone number or address for requesters, shown on their requests."""

    def target(self, category: str | None, priority: str | None) -> Target | None:
        """Return the target of a request, or `None` if there is none."""
        name = priority if priority in ("P1", "P2", "P3", "P4") else DEFAULT_PRIORITY
        own = self.categories.get(category or "", {})
        return own.get(name) or self.targets.get(name)  # type: ignore[call-overload,no-any-return]
