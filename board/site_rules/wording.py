"""A rule in the words that people read and write: its periods, place and terms. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from guardia.board.site_rules.periods import Dates, MonthEnd, Period, Weekly, Yearly
from guardia.board.site_rules.terms import (
    FirstTerms,
    FreezeTerms,
    LimitTerms,
    NeverTerms,
    OrderTerms,
    Scope,
    SiteRule,
)
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.approvals import DAYS

_KOREAN_DAYS = "월화수목금토일"
_TO = r"\s*[~–-]\s*"
_TIME = r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?:[+-]\d\d:\d\d)?)?"
_YEARLY = re.compile(rf"(?:매년|yearly)\s+(\d\d-\d\d){_TO}(\d\d-\d\d)")
_WEEKLY = re.compile(rf"(?:매주|weekly)\s+(\S+(?:\s*,\s*\S+)*)\s+(\d\d:\d\d){_TO}(\d\d:\d\d)")
_MONTHLY = re.compile(
    r"(?:매월|monthly)(?:\s+(?:말|last)\s*(\d{1,2})일?)?(?:\s+(?:초|first)\s*(\d{1,2})일?)?"
)
_DATES = re.compile(rf"({_TIME})\s*~\s*({_TIME})")


def parse_period(line: str) -> dict[str, object]:
    """Return a period as data. Raises `Invalid` if the line is none."""
    text = line.strip()
    if found := _YEARLY.fullmatch(text):
        return {"every": "year", "from": found[1], "until": found[2]}
    if found := _WEEKLY.fullmatch(text):
        days = [_day(day.strip(), line) for day in found[1].split(",")]
        return {"every": "week", "days": days, "from": found[2], "until": found[3]}
    if (found := _MONTHLY.fullmatch(text)) and (found[1] or found[2]):
        return {"every": "month", "last": int(found[1] or 0), "first": int(found[2] or 0)}
    if found := _DATES.fullmatch(text):
        return {"from": found[1], "until": found[2]}
    raise Invalid(what=t("rules.field.periods"), why=_unreadable(line), field="periods")


def _day(text: str, line: str) -> str:
    short = text.removesuffix("요일")
    if len(short) == 1 and short in _KOREAN_DAYS:
        return DAYS[_KOREAN_DAYS.index(short)]
    if text.casefold() in DAYS:
        return text.casefold()
    raise Invalid(what=t("rules.field.periods"), why=_unreadable(line), field="periods")


def _unreadable(line: str) -> str:
    return t("rules.wrong.period", line=line.strip()[:80])


def period_text(period: Period) -> str:
    """Return a period as a line that `parse_period` reads."""
    match period:
        case Yearly():
            return f"{t('rules.every.year')} {period.begins}~{period.ends}"
        case Weekly():
            days = ",".join(t(f"rules.day.{day}") for day in period.days)
            return f"{t('rules.every.week')} {days} {period.begins:%H:%M}~{period.ends:%H:%M}"
        case MonthEnd():
            last = f" {t('rules.every.last', days=period.last)}" if period.last else ""
            first = f" {t('rules.every.first', days=period.first)}" if period.first else ""
            return f"{t('rules.every.month')}{last}{first}"
        case Dates():
            return f"{_time_text(period.begins)}~{_time_text(period.ends)}"


def _time_text(moment: datetime) -> str:
    """Return a time with its offset, if it has one."""
    return moment.isoformat(" ", "minutes")


def place_text(scope: Scope) -> str:
    """Return where a rule applies."""
    place = scope.server or scope.institution or t("rules.everywhere")
    return f"{place} · {scope.service}" if scope.service else place


def describe(rule: SiteRule) -> tuple[tuple[str, str], ...]:
    """Return the terms of a rule as labels with texts."""
    return tuple((t(f"rules.field.{name}"), text) for name, text in _described(rule))


def _described(rule: SiteRule) -> Iterator[tuple[str, str]]:
    terms = rule.terms
    yield "actions", ", ".join(terms.actions) or t("rules.every_change")
    match terms:
        case FreezeTerms():
            yield "periods", ", ".join(period_text(period) for period in terms.periods)
        case OrderTerms():
            yield "after", terms.after
            yield "same", t(f"rules.same_as.{terms.same}")
            yield "within_hours", str(terms.within_hours)
        case NeverTerms() if terms.paths:
            yield "paths", ", ".join(terms.paths)
        case FirstTerms():
            args = " ".join(f"{name}={value}" for name, value in terms.args.items())
            yield "step", f"{terms.read or terms.action} {args}".strip()
            if terms.expect:
                yield "expect", terms.expect
            yield "within_hours", str(terms.within_hours)
        case LimitTerms():
            yield "at_most", str(terms.at_most)
            yield "within_hours", str(terms.within_hours)
            yield "per", t(f"rules.per.{terms.per}")
        case _:
            pass
    if rule.valid_from or rule.valid_until:
        yield "valid", f"{rule.valid_from or ''}~{rule.valid_until or ''}"
