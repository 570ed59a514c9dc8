"""How people must approve, as org_chart.yaml says it: chains, terms, windows and freezes.

Types and their validation only; ``board.policy`` applies them.
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

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _parse_period(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    found = re.fullmatch(r"([1-9]\d{0,4})([smhd])", given)
    if found is None:
        raise ValueError(t("org.chart.period"))
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _format_period(length: timedelta) -> str:
    """A period as the chart writes it."""
    seconds = int(length.total_seconds())
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    return next(f"{seconds // size}{unit}" for unit, size in units if seconds % size == 0)


Period = Annotated[
    timedelta,
    BeforeValidator(_parse_period),
    PlainSerializer(_format_period, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9]\d{0,4}[smhd]$"}),
]


def _parse_clock(given: Any) -> Any:
    # YAML 1.1 readers make 22:00 a number; only quoted text is a time of day without doubt.
    if not isinstance(given, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given):
        raise ValueError(t("org.chart.clock"))
    return time.fromisoformat(given)


ClockTime = Annotated[
    time,
    BeforeValidator(_parse_clock),
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}),
]
Timestamp = Annotated[datetime, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d"})]
"""Without an offset it is in the company's time zone."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    short_form: ClassVar[dict[str, Any] | None] = None
    """What else may be written in the place of the fields, as JSON Schema."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        long = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [dict(long), cls.short_form]} if cls.short_form else long


class ApprovalStep(_Entry):
    """One step: so many different persons of one role."""

    short_form = {"type": "string"}

    role: str
    quorum: int = Field(default=1, ge=1, le=9)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"role": given} if isinstance(given, str) else given


class Window(_Entry):
    """When approved work may run; past midnight where it ends before it begins."""

    days: tuple[Day, ...] = DAYS
    """Days on which it begins."""
    begins: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="until")
    institutions: tuple[str, ...] = ()
    """Whose servers; empty: everybody's."""

    @model_validator(mode="after")
    def _lasts(self) -> Window:
        if self.begins == self.ends or not self.days:
            raise ValueError(t("org.chart.window"))
        return self


class Freeze(_Entry):
    """A period in which nothing of these categories and institutions runs."""

    begins: Timestamp = Field(alias="from")
    ends: Timestamp = Field(alias="until")
    categories: tuple[str, ...] = ()
    """Empty: all but READ_ONLY."""
    institutions: tuple[str, ...] = ()
    because: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Freeze:
        if self.begins.replace(tzinfo=None) >= self.ends.replace(tzinfo=None):
            raise ValueError(t("org.chart.order"))
        return self


class ApprovalPolicy(_Entry):
    """What one category demands. No steps: nobody is asked."""

    short_form = {"type": "array", "items": {"type": ["string", "object"]}}

    steps: tuple[ApprovalStep, ...] = ()
    irreversible: tuple[ApprovalStep, ...] = ()
    """Further steps, after the others, for a plan with a change that cannot be undone."""
    expires: Period = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """How long each step may wait; then it escalates, and after the same time again it expires."""
    remind: Period | None = None
    """How often those who are due are reminded."""
    escalate_to: str | None = None
    """A role whose people may then decide as well."""
    windows: tuple[Window, ...] = ()
    """Empty: at any time."""
    known_requester: bool = False
    """Nobody approves what was asked under a messenger account that is nobody's we know."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"steps": given} if isinstance(given, list | tuple) else given

    @model_validator(mode="after")
    def _terms(self) -> ApprovalPolicy:
        if self.expires <= timedelta(0) or (
            self.remind is not None and self.remind <= timedelta(0)
        ):
            raise ValueError(t("org.chart.positive"))
        return self

    @property
    def roles(self) -> frozenset[str]:
        """Every role that is named."""
        named = {s.role for s in (*self.steps, *self.irreversible)}
        return frozenset(named | ({self.escalate_to} if self.escalate_to else set()))

    def of(self, *, irreversible: bool) -> ApprovalPolicy:
        """What is demanded of one plan."""
        if not irreversible:
            return self
        return self.model_copy(update={"steps": (*self.steps, *self.irreversible)})

    @property
    def demanded(self) -> int:
        """How many different persons it takes."""
        return sum(s.quorum for s in self.steps)
