"""A rule from the fields of a form or the options of a command, and the fields of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from guardia.board.site_rules.terms import (
    KINDS,
    FirstTerms,
    FreezeTerms,
    LimitTerms,
    NeverTerms,
    OrderTerms,
    SiteRule,
)
from guardia.board.site_rules.wording import parse_period, period_text
from guardia.errors import Invalid
from guardia.i18n import t

FIELDS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "freeze": ("actions", "periods"),
    "order": ("actions", "after", "same", "within_hours"),
    "never": ("actions", "paths"),
    "first": ("actions", "step", "args", "expect", "within_hours"),
    "investigate": (),
    "limit": ("actions", "at_most", "within_hours", "per"),
}
"""Fields of each kind, beside those of every rule."""
_LISTS = {"actions", "paths"}
_NUMBERS = {"within_hours", "at_most"}
_PLACE = ("institution", "server", "service")


def parse_rule(given: Mapping[str, str], reads: frozenset[str]) -> SiteRule:
    """Return the rule of a form's texts. Raises `Invalid` with the `field` that is wrong.

    `reads` are the names of reads: what comes first is one of them, or a change.
    """
    kind = given.get("kind", "")
    if kind not in KINDS:
        raise Invalid(what=t("rules.field.kind"), why=t("rules.wrong.kind"), field="kind")
    terms: dict[str, Any] = {"kind": kind}
    for field in FIELDS_OF_KIND[kind]:
        text = given.get(field, "").strip()
        if text:
            terms |= _term(field, text, reads)
    data = {
        "name": given.get("name", "").strip(),
        "scope": {name: given.get(name, "").strip() for name in _PLACE},
        "terms": terms,
        "sentence": given.get("sentence", ""),
        "valid_from": given.get("valid_from", "").strip() or None,
        "valid_until": given.get("valid_until", "").strip() or None,
    }
    return validated(data)


def _term(field: str, text: str, reads: frozenset[str]) -> dict[str, Any]:
    if field in _LISTS:
        lines = (part.strip() for line in text.splitlines() for part in line.split(","))
        return {field: [part for part in lines if part]}
    if field in _NUMBERS:
        return {field: _number(field, text)}
    if field == "periods":
        return {field: [parse_period(line) for line in text.splitlines() if line.strip()]}
    if field == "step":
        return {"read" if text in reads else "action": text}
    if field == "args":
        return {field: parse_arguments(text.splitlines())}
    return {field: text}


def _number(field: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        why = t("rules.wrong.number")
        raise Invalid(what=t(f"rules.field.{field}"), why=why, field=field)
    return int(text)


def parse_fields(given: Iterable[str]) -> dict[str, str]:
    """Return fields given as `FIELD=TEXT`; a repeated field has one line for each."""
    known = {*_PLACE, "valid_from", "valid_until"}
    known |= {field for fields in FIELDS_OF_KIND.values() for field in fields}
    found: dict[str, str] = {}
    for one in given:
        field, separator, text = one.partition("=")
        if not separator or field not in known:
            raise Invalid(
                what=one[:80], why=t("rules.wrong.field", fields=", ".join(sorted(known)))
            )
        found[field] = f"{found[field]}\n{text}" if field in found else text
    return found


def parse_arguments(lines: Iterable[str]) -> dict[str, str | int]:
    """Return the arguments of an action, given as `name=value` each."""
    return dict(_argument(line) for line in lines if line.strip())


def _argument(line: str) -> tuple[str, str | int]:
    name, separator, text = (part.strip() for part in line.partition("="))
    if not separator or not name:
        why = t("rules.wrong.args")
        raise Invalid(what=t("rules.field.args"), why=why, field="args")
    return name, int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def validated(data: object) -> SiteRule:
    """Return a rule from plain data. Raises `Invalid` with the `field` of the first fault."""
    try:
        return SiteRule.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        names = [str(part) for part in first["loc"] if isinstance(part, str)]
        field = _field_of(names)
        raise Invalid(what=_label(field), why=_why(field, first), field=field) from None


def _field_of(names: list[str]) -> str:
    known = {*_PLACE, "name", "sentence", "valid_from", "valid_until", "kind"}
    known |= {field for fields in FIELDS_OF_KIND.values() for field in fields}
    aliases = {"read": "step", "action": "step"}
    found = [aliases.get(name, name) for name in names if aliases.get(name, name) in known]
    return found[0] if found else ("server" if names[:1] == ["scope"] else "kind")


def _label(field: str) -> str:
    return t(f"rules.field.{field}")


def _why(field: str, fault: Any) -> str:
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    if fault["type"] in ("string_too_short", "missing", "too_short"):
        return t("rules.wrong.missing")
    if field == "name":
        return t("rules.wrong.name")
    if field in ("valid_from", "valid_until"):
        return t("rules.wrong.date")
    return str(fault["msg"])[:200]


def fields_of(rule: SiteRule) -> dict[str, str]:
    """Return the texts with which a form shows a rule."""
    terms = rule.terms
    found = {
        "name": rule.name,
        "kind": terms.kind,
        **rule.scope.model_dump(),
        "sentence": rule.sentence,
        "valid_from": str(rule.valid_from or ""),
        "valid_until": str(rule.valid_until or ""),
        "actions": ", ".join(terms.actions),
    }
    match terms:
        case FreezeTerms():
            found["periods"] = "\n".join(period_text(period) for period in terms.periods)
        case OrderTerms():
            found |= {"after": terms.after, "same": terms.same}
        case NeverTerms():
            found["paths"] = "\n".join(terms.paths)
        case FirstTerms():
            args = "\n".join(f"{name}={value}" for name, value in terms.args.items())
            found |= {"step": terms.read or terms.action, "args": args, "expect": terms.expect}
        case LimitTerms():
            found |= {"at_most": str(terms.at_most), "per": terms.per}
        case _:
            pass
    if isinstance(terms, OrderTerms | FirstTerms | LimitTerms):
        found["within_hours"] = str(terms.within_hours)
    return found
