"""Rules of standing approvals in org_chart.yaml."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t
from guardia.org.approvals import Period


class StandingRules(BaseModel):
    """When a routine has earned to be proposed as a standard change, and what people may permit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    successes: int = Field(default=10, ge=1, le=10_000)
    """Verified successes without a failure."""
    per_day: int = Field(default=10, ge=1, le=1000)
    """The most uses per day that people may permit."""
    longest: Period = Field(default=timedelta(days=180), json_schema_extra={"default": "180d"})
    """The longest time for which people may permit it."""

    @model_validator(mode="after")
    def _terms(self) -> StandingRules:
        if self.longest <= timedelta(0):
            raise ValueError(t("org.chart.positive"))
        return self
