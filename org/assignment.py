"""Rules of org_chart.yaml on who gets a request: weights, times to answer, linked reports."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, model_validator

from guardia.i18n import t
from guardia.org.approvals import Period

_URGENT = "P1"


class FitWeights(BaseModel):
    """How much each ground counts when people are compared for a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duty: int = Field(default=30, ge=0, le=1000)
    """Being on duty for the field now."""
    skill: int = Field(default=10, ge=0, le=1000)
    """Having the field among the skills."""
    primary: int = Field(default=6, ge=0, le=1000)
    """Owning the server in the field, as the first one."""
    deputy: int = Field(default=3, ge=0, le=1000)
    """Owning it as the deputy."""
    proficiency: int = Field(default=2, ge=0, le=1000)
    """Each level of proficiency."""
    load: int = Field(default=3, ge=0, le=1000)
    """Each open task, which counts against."""

    @model_validator(mode="after")
    def _some(self) -> FitWeights:
        if not (self.skill or self.proficiency or self.primary):
            raise ValueError(t("org.chart.weights"))
        return self


DEFAULT_WEIGHTS = FitWeights()


class AssignmentRules(BaseModel):
    """Who is asked to take a request, how long they may think, and how reports are linked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: FitWeights = DEFAULT_WEIGHTS
    answer_within: Period = Field(
        default=timedelta(minutes=30), json_schema_extra={"default": "30m"}
    )
    """How long a person may take to accept or decline."""
    urgent_within: Period = Field(default=timedelta(minutes=5), json_schema_extra={"default": "5m"})
    """The same for requests of priority P1."""
    proposals: int = Field(default=3, ge=1, le=20)
    """How many people are asked one after the other; then the issue goes to the queue."""
    question_within: Period = Field(default=timedelta(hours=1), json_schema_extra={"default": "1h"})
    """How long a requester may take to answer which server is meant."""
    choices: int = Field(default=5, ge=2, le=10)
    """The most servers that a question offers as buttons."""
    report_window: Period = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """How old an open incident may be for a new request to count as a report of it."""

    @model_validator(mode="after")
    def _positive(self) -> AssignmentRules:
        times = (self.answer_within, self.urgent_within, self.question_within, self.report_window)
        if any(one <= timedelta(0) for one in times):
            raise ValueError(t("org.chart.positive"))
        return self

    def time_to_answer(self, priority: str | None) -> timedelta:
        """Return how long a person may take for a request of this priority."""
        return self.urgent_within if priority == _URGENT else self.answer_within
