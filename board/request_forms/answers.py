"""Read what a person filled in on a form, with the reason at each wrong field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from guardia.board.core.labels import label as text_of
from guardia.board.request_forms.catalogue import FormField, RequestForm
from guardia.i18n import t
from guardia.text import matching_form, trim

MAX_LINE = 300
MAX_LONG = 5000
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may name in fields for people and servers."""

    people: Mapping[str, str] = field(default_factory=dict)
    """Display names by account."""
    servers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answers:
    """The values of a form, and the problems by field."""

    values: tuple[dict[str, Any], ...]
    problems: dict[str, str]


def read_answers(form: RequestForm, given: Mapping[str, str], choices: Choices) -> Answers:
    """Return the values as data; a field without a value is left out."""
    values, problems = [], {}
    for one in form.fields:
        text = trim(given.get(one.id, ""), MAX_LONG if one.kind == "long_text" else MAX_LINE)
        if not text:
            if one.required:
                problems[one.id] = t("forms.missing")
            continue
        value, problem = _read(one, text, choices)
        if problem:
            problems[one.id] = problem
        else:
            values.append({"id": one.id, "label": one.label, "kind": one.kind, "value": value})
    return Answers(tuple(values), problems)


def _read(one: FormField, text: str, choices: Choices) -> tuple[Any, str]:
    """Return the value of a text and what is wrong with it."""
    match one.kind:
        case "choice":
            return text, "" if text in one.options else t("forms.not_offered")
        case "date":
            return _read_date(text)
        case "number":
            return _read_number(one, text)
        case "person":
            found = _find_person(text, choices)
            return found, "" if found else t("forms.unknown_person")
        case "server":
            known = {matching_form(name): name for name in choices.servers}.get(
                matching_form(text), ""
            )
            return known, "" if known else t("forms.unknown_server")
        case _:
            return text, ""


def _read_date(text: str) -> tuple[str, str]:
    try:
        return date.fromisoformat(text).isoformat(), ""
    except ValueError:
        return "", t("service.day.form")


def _read_number(one: FormField, text: str) -> tuple[int, str]:
    digits = text.replace(",", "").removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS):
        return 0, t("forms.no_number")
    number = int(text.replace(",", ""))
    if one.least is not None and number < one.least:
        return number, t("forms.least", least=f"{one.least:,}")
    if one.most is not None and number > one.most:
        return number, t("forms.most", most=f"{one.most:,}")
    return number, ""


def _find_person(text: str, choices: Choices) -> str:
    """Return the account of a person who is named by account or display name."""
    if text in choices.people:
        return text
    matches = [account for account, name in choices.people.items() if name == text]
    return matches[0] if len(matches) == 1 else ""


def as_markdown(values: tuple[dict[str, Any], ...], people: Mapping[str, str]) -> str:
    """Return the values as readable text: a line each, long ones in a block that quotes them."""
    lines = []
    for one in values:
        shown = shown_value(one, people)
        if "\n" in shown:
            lines += [f"**{one['label']}**", "", *(f"> {line}" for line in shown.splitlines()), ""]
        else:
            lines += [f"**{one['label']}**: {shown}", ""]
    return "\n".join(lines).strip()


def shown_value(one: Mapping[str, Any], people: Mapping[str, str]) -> str:
    """Return a value as people read it."""
    value = one["value"]
    if one["kind"] == "number":
        return f"{value:,}"
    if one["kind"] == "date":
        day = date.fromisoformat(value)
        return f"{value} ({text_of('service.weekday', str(day.weekday()))})"
    return people.get(value, value) if one["kind"] == "person" else str(value)
