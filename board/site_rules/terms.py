"""A site rule as data: where it applies, what it demands, and its sentence of why. Pure."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from guardia.board.audit.canonical import digest
from guardia.board.site_rules.periods import Period
from guardia.i18n import t
from guardia.text import CLEANED, TRIMMED, clean_json

MAX_SENTENCE = 300
EVERYWHERE = "*"
_PATTERN = re.compile(r"[a-z*?\[\]][a-z0-9_.*?\[\]-]{0,79}")

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SENTENCE), TRIMMED]
Word = Annotated[str, StringConstraints(max_length=100), TRIMMED]
Hours = Annotated[int, Field(ge=1, le=24 * 90)]


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise ValueError(t("rules.wrong.action", action=text[:80]))
    return text


def _absolute(text: str) -> str:
    if not text.startswith("/") or "\x00" in text:
        raise ValueError(t("rules.wrong.path", path=text[:80]))
    return text


def _expression(text: str) -> str:
    try:
        if text:
            jmespath.compile(text)
    except JMESPathError:
        raise ValueError(t("rules.wrong.expect")) from None
    return text


ActionPattern = Annotated[str, CLEANED, AfterValidator(_pattern)]
"""Name of an action, such as `service.restart`; `*` is any characters."""
RulePath = Annotated[str, StringConstraints(max_length=500), CLEANED, AfterValidator(_absolute)]
Expression = Annotated[str, StringConstraints(max_length=300), CLEANED, AfterValidator(_expression)]
Arguments = Annotated[dict[str, str | int | bool], AfterValidator(clean_json)]


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    actions: tuple[ActionPattern, ...] = ()
    """Actions that the rule is about; empty: every change."""


class FreezeTerms(_Terms):
    """No such change in these periods."""

    kind: Literal["freeze"]
    periods: tuple[Period, ...] = Field(min_length=1, max_length=50)


class OrderTerms(_Terms):
    """A change only after the same change was completed on another server."""

    kind: Literal["order"]
    after: Word
    within_hours: Hours = 24
    same: Literal["call", "action"] = "call"
    """Whether the arguments have to be the same, too."""


class NeverTerms(_Terms):
    """A change that is never made, or paths that no change touches."""

    kind: Literal["never"]
    paths: tuple[RulePath, ...] = Field(default=(), max_length=50)
    """With paths, only changes that touch one of them or something below it."""

    @model_validator(mode="after")
    def _says_what(self) -> NeverTerms:
        if not self.actions and not self.paths:
            raise ValueError(t("rules.wrong.never"))
        return self


class FirstTerms(_Terms):
    """A read or a change that must have succeeded on the server shortly before."""

    kind: Literal["first"]
    read: Word = ""
    action: Word = ""
    args: Arguments = Field(default_factory=dict)
    expect: Expression = ""
    """What the findings of the read must satisfy (JMESPath); empty: that it succeeded."""
    within_hours: Hours = 24

    @model_validator(mode="after")
    def _one_step(self) -> FirstTerms:
        if bool(self.read) == bool(self.action) or (self.expect and not self.read):
            raise ValueError(t("rules.wrong.first"))
        return self


class InvestigateTerms(_Terms):
    """No change at all: agents and people only look."""

    kind: Literal["investigate"]


class LimitTerms(_Terms):
    """At most so many of these changes within so many hours."""

    kind: Literal["limit"]
    at_most: int = Field(ge=1, le=1000)
    within_hours: Hours
    per: Literal["server", "scope"] = "server"
    """Counted on each server, or together on all servers of the rule."""


Terms = Annotated[
    FreezeTerms | OrderTerms | NeverTerms | FirstTerms | InvestigateTerms | LimitTerms,
    Field(discriminator="kind"),
]
KINDS = ("freeze", "order", "never", "first", "investigate", "limit")


class Scope(BaseModel):
    """Where a rule applies: everywhere, or to an institution, a server, or a service of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    institution: Word = ""
    server: Word = ""
    service: Word = ""

    @model_validator(mode="after")
    def _one_place(self) -> Scope:
        if (self.institution and self.server) or (self.service and not self.server):
            raise ValueError(t("rules.wrong.scope"))
        return self

    @property
    def key(self) -> str:
        """The indexed key of the place; a service's rules are found with its server."""
        if self.server:
            return f"server:{self.server}"
        return f"institution:{self.institution}" if self.institution else EVERYWHERE


def scope_keys(server: str, institution: str) -> tuple[str, ...]:
    """Return the keys of all places that contain a server."""
    return EVERYWHERE, f"institution:{institution}", f"server:{server}"


class SiteRule(BaseModel):
    """One rule as people write it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: RuleName
    scope: Scope = Scope()
    terms: Terms
    sentence: Sentence
    """Why, as it is shown to those whom the rule stops."""
    valid_from: date | None = None
    valid_until: date | None = None
    """The last day on which it is valid."""

    @model_validator(mode="after")
    def _ordered(self) -> SiteRule:
        if self.valid_from and self.valid_until and self.valid_from > self.valid_until:
            raise ValueError(t("rules.wrong.order"))
        return self

    def as_data(self) -> dict[str, Any]:
        """Return the rule as plain data, as it is stored, hashed and exported."""
        found: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude_none=True
        )
        return found

    @property
    def hash(self) -> str:
        """The hash of its content, which exceptions are bound to."""
        return digest(self.as_data())
