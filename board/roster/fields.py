"""The fields of the forms of the duty roster, and what they send, as values; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from pydantic import ValidationError

from guardia.board.approvals.absences import AbsenceRequest
from guardia.board.cmdb.changes import problem_of
from guardia.board.cmdb.imports.columns import read_level
from guardia.board.cmdb.records import DAYS, KINDS
from guardia.errors import Invalid
from guardia.i18n import t

Kind = Literal["duty", "duty_exception", "skill", "owner", "absence"]
EDITED: tuple[Kind, ...] = get_args(Kind)
IMPORTED = ("team", *EDITED)
"""Kinds of tables that the page imports."""
Shape = Literal["text", "day", "clock", "choice", "days", "level"]
_LEVELS = ("5", "4", "3", "2", "1")


@dataclass(frozen=True, slots=True)
class RosterField:
    """One field of a form."""

    name: str
    shape: Shape = "text"
    suggests: str = ""
    """What may be entered: `person`, `team`, `institution`, `skill`."""
    choices: tuple[str, ...] = ()
    required: bool = False
    identifies: bool = False
    """Whether it says which entry is meant, so that it cannot be changed afterwards."""


_PERSON = RosterField("person", suggests="person", identifies=True)
_SKILL = RosterField("skill", suggests="skill", required=True, identifies=True)
_LEVEL = RosterField("proficiency", "level", choices=_LEVELS, required=True)
FIELDS: dict[str, tuple[RosterField, ...]] = {
    "duty": (
        RosterField("id", required=True, identifies=True),
        RosterField("field", suggests="skill", required=True),
        RosterField("institution", suggests="institution"),
        RosterField("person", suggests="person"),
        RosterField("team", suggests="team"),
        RosterField("days", "days", choices=DAYS),
        RosterField("begins", "clock", required=True),
        RosterField("ends", "clock", required=True),
        RosterField("holidays", "choice", choices=("as_usual", "off", "only")),
        RosterField("since", "day"),
        RosterField("until", "day"),
    ),
    "duty_exception": (
        RosterField("duty", suggests="duty", required=True, identifies=True),
        RosterField("first_day", "day", required=True, identifies=True),
        RosterField("last_day", "day"),
        RosterField("person", suggests="person"),
        RosterField("reason"),
    ),
    "skill": (
        RosterField("person", suggests="person", required=True, identifies=True),
        _SKILL,
        _LEVEL,
    ),
    "owner": (
        _PERSON,
        RosterField("team", suggests="team", identifies=True),
        RosterField("server", identifies=True),
        RosterField("institution", suggests="institution", identifies=True),
        RosterField("group", identifies=True),
        _SKILL,
        _LEVEL,
        RosterField("duty", "choice", choices=("primary", "deputy")),
    ),
    "absence": (
        RosterField("person", suggests="person", required=True),
        RosterField("first_day", "day", required=True),
        RosterField("last_day", "day"),
        RosterField("substitute", suggests="person"),
        RosterField("reason"),
    ),
}
_FIELD_OF_FAULT = {
    "owner": "person",
    "holder": "person",
    "target": "server",
    "lead": "lead",
}
"""The field at which the fault of a whole entry is shown."""


def entered(kind: str, texts: Mapping[str, str], days: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a form has sent as values; an empty field is left out."""
    found: dict[str, Any] = {}
    for one in FIELDS[kind]:
        text = texts.get(one.name, "").strip()
        if one.shape == "days":
            found[one.name] = [day for day in DAYS if day in days]
        elif text:
            found[one.name] = read_level(text) if one.shape == "level" else text
    return found


def require_valid(kind: str, values: Mapping[str, Any]) -> None:
    """Raise `Invalid` for the first fault of an entry, with its field."""
    try:
        KINDS[kind].model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)[0]
        problem = problem_of(0, details)
        place = str(details["loc"][0]) if details["loc"] else ""
        names = [one.name for one in FIELDS[kind]]
        last = next((name for name in ("last_day", "until") if name in names), "")
        field = place or (_FIELD_OF_FAULT.get(details["type"], last))
        why = f"{problem.what}. {problem.remedy}"
        raise Invalid(what=t(f"roster.field.{field}"), why=why, field=field) from None


def absence_of(values: Mapping[str, Any]) -> AbsenceRequest:
    """Return the absence that a form or a line enters. Raises `Invalid` for what is no date."""
    first = _day(values, "first_day")
    return AbsenceRequest(
        person=values.get("person") or "",
        first_day=first,
        last_day=_day(values, "last_day") if values.get("last_day") else first,
        substitute=values.get("substitute") or "",
        reason=(values.get("reason") or "")[:200],
    )


def _day(values: Mapping[str, Any], name: str) -> date:
    text = str(values.get(name) or "")
    try:
        return date.fromisoformat(text)
    except ValueError:
        why = t("imports.bad.date.remedy")
        raise Invalid(what=text[:40] or t(f"roster.field.{name}"), why=why, field=name) from None
