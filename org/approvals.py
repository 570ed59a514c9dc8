"""Approval rules of org_chart.yaml: chains, deadlines, windows and freezes.

Types and their validation only; `board.approvals.policy` applies them.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from guardia.i18n import t
from guardia.text import CleanStr

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _parse_period(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([1-9][0-9]{0,4})([smhd])", value)
    if found is None:
        raise ValueError(t("org.chart.period"))
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _format_period(length: timedelta) -> str:
    """Format a period as the chart spells it."""
    seconds = int(length.total_seconds())
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    return next(f"{seconds // size}{unit}" for unit, size in units if seconds % size == 0)


Period = Annotated[
    timedelta,
    BeforeValidator(_parse_period),
    PlainSerializer(_format_period, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,4}[smhd]$"}),
]


def _parse_clock(value: Any) -> Any:
    # YAML 1.1 readers parse 22:00 as a number; only quoted text is unambiguously a time of day.
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(t("org.chart.clock"))
    return time.fromisoformat(value)


ClockTime = Annotated[
    time,
    BeforeValidator(_parse_clock),
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
Timestamp = Annotated[datetime, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d"})]
"""A timestamp; without an offset it is in the company's time zone."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    short_form: ClassVar[dict[str, Any] | None] = None
    """JSON Schema of a shorter notation that is accepted instead of the fields."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        long = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [dict(long), cls.short_form]} if cls.short_form else long


class ApprovalStep(_Entry):
    """One step of a chain: `quorum` different people of one role."""

    short_form = {"type": "string"}

    role: CleanStr
    quorum: int = Field(default=1, ge=1, le=9)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"role": value} if isinstance(value, str) else value


class Window(_Entry):
    """Hours in which approved work may run; crosses midnight if it ends before it begins."""

    days: tuple[Day, ...] = DAYS
    """Days on which the window begins."""
    begins: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="until")
    institutions: tuple[CleanStr, ...] = ()
    """Institutions whose servers it covers; empty: all."""

    @model_validator(mode="after")
    def _not_empty(self) -> Window:
        if self.begins == self.ends or not self.days:
            raise ValueError(t("org.chart.window"))
        return self


class Freeze(_Entry):
    """A period in which nothing of these categories and institutions runs."""

    begins: Timestamp = Field(alias="from")
    ends: Timestamp = Field(alias="until")
    categories: tuple[CleanStr, ...] = ()
    """Empty: all but READ_ONLY."""
    institutions: tuple[CleanStr, ...] = ()
    because: CleanStr = ""

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if self.begins.replace(tzinfo=None) >= self.ends.replace(tzinfo=None):
            raise ValueError(t("org.chart.order"))
        return self


class ApprovalPolicy(_Entry):
    """What one category requires. Without steps, no approval is needed."""

    short_form = {"type": "array", "items": {"type": ["string", "object"]}}

    steps: tuple[ApprovalStep, ...] = ()
    irreversible: tuple[ApprovalStep, ...] = ()
    """Additional steps, after the others, for a plan with an irreversible change."""
    expires: Period = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """How long each step may wait; then it escalates, and after the same time again it expires."""
    remind: Period | None = None
    """Interval of reminders to those whose decision is due."""
    escalate_to: CleanStr | None = None
    """A role whose people may also decide after escalation."""
    windows: tuple[Window, ...] = ()
    """Empty: at any time."""
    acceptance: Literal["requester", "engineer"] | None = None
    """Who has to accept completed work."""
    accept_within: Period = Field(default=timedelta(hours=72), json_schema_extra={"default": "72h"})
    """How long they may take: then a requester's silence is consent, an engineer's escalates."""
    known_requester: bool = False
    """Refuse approval of a request from a messenger account that is linked to no person."""
    signature: Literal["passkey"] | None = None
    """With `passkey`, each approval must be signed with a passkey of the person who gives it."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"steps": value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _terms(self) -> ApprovalPolicy:
        periods = (self.expires, self.accept_within, self.remind)
        if any(period is not None and period <= timedelta(0) for period in periods):
            raise ValueError(t("org.chart.positive"))
        return self

    @property
    def roles(self) -> frozenset[str]:
        """Every role that the policy names."""
        named = {s.role for s in (*self.steps, *self.irreversible)}
        return frozenset(named | ({self.escalate_to} if self.escalate_to else set()))

    def for_plan(self, *, irreversible: bool) -> ApprovalPolicy:
        """Return the policy for one plan, including the extra steps if the plan is irreversible."""
        if not irreversible:
            return self
        return self.model_copy(update={"steps": (*self.steps, *self.irreversible)})

    def with_steps_of(self, other: ApprovalPolicy) -> ApprovalPolicy:
        """Return a policy that demands what both demand: the steps of `other` last."""
        steps = list(self.steps)
        for step in other.steps:
            at = next((n for n, own in enumerate(steps) if own.role == step.role), None)
            if at is None:
                steps.append(step)
            elif steps[at].quorum < step.quorum:
                steps[at] = step
        return self.model_copy(
            update={
                "steps": tuple(steps),
                "expires": min(self.expires, other.expires),
                "known_requester": self.known_requester or other.known_requester,
                "signature": self.signature or other.signature,
            }
        )

    @property
    def required_approvers(self) -> int:
        """How many different people must approve."""
        return sum(s.quorum for s in self.steps)
