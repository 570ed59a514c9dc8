"""Evaluation of site rules: what a change breaks, and when it may run. Pure; fails closed.

No database, no clock: `board.execution.rule_check` loads what the rules need.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Any

import jmespath

from guardia.board.site_rules.periods import next_opening
from guardia.board.site_rules.terms import (
    FirstTerms,
    FreezeTerms,
    InvestigateTerms,
    LimitTerms,
    NeverTerms,
    OrderTerms,
    SiteRule,
)
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A change of a server as the rules see it."""

    server: str
    institution: str
    tool: str
    args: Mapping[str, Any]
    services: frozenset[str] = frozenset()
    """Services that it acts on; empty: the whole server."""
    paths: tuple[str, ...] | None = ()
    """Absolute paths that it names or touches, resolved; `None`: not known."""


@dataclass(frozen=True, slots=True)
class PastStep:
    """A read or change of the past; `done` only of changes that were verified to their end."""

    server: str
    tool: str
    args: Mapping[str, Any]
    at: datetime
    findings: Mapping[str, Any] | None = None
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class History:
    """What the rules of one change may look at."""

    completed: Sequence[PastStep] = ()
    attempted: Sequence[PastStep] = ()
    reads: Sequence[PastStep] = ()
    real_paths: Mapping[str, str] = field(default_factory=dict)
    """Where paths were found to lead shortly before; empty: not known."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule in force; `rule` is `None` if this release cannot read it."""

    name: str
    version: int
    sentence: str
    hash: str
    rule: SiteRule | None


@dataclass(frozen=True, slots=True)
class Break:
    """A rule that forbids a change now."""

    rule: RuleVersion
    why: str
    """What the rule forbids or misses here, without its sentence."""
    until: datetime | None = None
    """When the rule permits the change by itself; `None`: not by waiting."""
    can_be_read: bool = False
    """Whether only a read on the same server is missing, which is run before the change."""

    def __str__(self) -> str:
        return t("rules.broken", name=self.rule.name, sentence=self.rule.sentence, why=self.why)


@dataclass(frozen=True, slots=True)
class Setting:
    """The time of an evaluation and the company's time zone."""

    at: datetime
    zone: tzinfo
    history: History = field(default_factory=History)


def applies_to(rule: SiteRule, change: ServerChange) -> bool:
    """Return whether a rule is about a change: its place, its actions, its paths.

    A change that names no service acts on all of them.
    """
    scope = rule.scope
    if scope.institution not in ("", change.institution) or scope.server not in ("", change.server):
        return False
    if scope.service and change.services and scope.service not in change.services:
        return False
    return not rule.terms.actions or matches(rule.terms.actions, change.tool)


def matches(patterns: Iterable[str], tool: str) -> bool:
    """Return whether an action is one of those that patterns name."""
    return any(fnmatchcase(tool, pattern) for pattern in patterns)


def is_valid(rule: SiteRule, at: datetime, zone: tzinfo) -> bool:
    """Return whether a rule is valid on the day of a time."""
    day = at.astimezone(zone).date()
    return (rule.valid_from is None or rule.valid_from <= day) and (
        rule.valid_until is None or day <= rule.valid_until
    )


def find_break(version: RuleVersion, change: ServerChange, setting: Setting) -> Break | None:
    """Return why a rule forbids a change at a time, or `None`.

    A rule that cannot be read or evaluated forbids.
    """
    if version.rule is None:
        return Break(version, t("rules.why.unreadable"))
    try:
        if not is_valid(version.rule, setting.at, setting.zone):
            return None
        if not applies_to(version.rule, change):
            return None
        return _evaluate(version, version.rule, change, setting)
    except Exception:
        return Break(version, t("rules.why.unreadable"))


def _evaluate(
    version: RuleVersion, rule: SiteRule, change: ServerChange, setting: Setting
) -> Break | None:
    match rule.terms:
        case FreezeTerms() as terms:
            return _freeze(version, terms, setting)
        case OrderTerms() as terms:
            return _order(version, terms, change, setting)
        case NeverTerms() as terms:
            return _never(version, terms, change, setting)
        case FirstTerms() as terms:
            return _first(version, terms, change, setting)
        case LimitTerms() as terms:
            return _limit(version, terms, change, setting)
        case InvestigateTerms():
            return Break(version, t("rules.why.investigate", server=change.server))


def _freeze(version: RuleVersion, terms: FreezeTerms, setting: Setting) -> Break | None:
    opening = next_opening(terms.periods, setting.at, setting.zone)
    if opening is None:
        return Break(version, t("rules.why.always"))
    if opening <= setting.at:
        return None
    return Break(version, t("rules.why.freeze", until=local_text(opening, setting.zone)), opening)


def _order(
    version: RuleVersion, terms: OrderTerms, change: ServerChange, setting: Setting
) -> Break | None:
    if terms.after == change.server:
        return None
    for step in _recent(setting, setting.history.completed, terms.within_hours):
        alike = terms.same == "action" or dict(step.args) == dict(change.args)
        if step.server == terms.after and step.tool == change.tool and alike:
            return None
    return Break(version, t("rules.why.order", server=terms.after, hours=terms.within_hours))


def _never(
    version: RuleVersion, terms: NeverTerms, change: ServerChange, setting: Setting
) -> Break | None:
    if not terms.paths:
        return Break(version, t("rules.why.action"))
    if change.paths is None:
        return Break(version, t("rules.why.unknown_path"))
    for path in change.paths:
        if any(is_within(path, prefix) for prefix in terms.paths):
            return Break(version, t("rules.why.path", path=path[:200]))
    return _linked(version, terms, change.paths, setting.history.real_paths)


def _linked(
    version: RuleVersion, terms: NeverTerms, paths: Sequence[str], real: Mapping[str, str]
) -> Break | None:
    """Return a break if a path leads to a forbidden one, or if it is not known where it leads."""
    if any(path not in real for path in (*paths, *terms.paths) if paths):
        return Break(version, t("rules.why.unresolved"), can_be_read=True)
    for path in paths:
        if not real[path]:
            return Break(version, t("rules.why.unknown_path"))
        if any(is_within(real[path], real[prefix] or prefix) for prefix in terms.paths):
            words = {"path": path[:200], "real": real[path][:200]}
            return Break(version, t("rules.why.link", **words))
    return None


def _first(
    version: RuleVersion, terms: FirstTerms, change: ServerChange, setting: Setting
) -> Break | None:
    steps = setting.history.reads if terms.read else setting.history.completed
    wanted = terms.read or terms.action
    for step in _recent(setting, steps, terms.within_hours):
        same = step.server == change.server and step.tool == wanted
        if (
            same
            and all(step.args.get(k) == v for k, v in terms.args.items())
            and _meets(terms.expect, step.findings)
        ):
            return None
    why = t("rules.why.first", step=wanted, hours=terms.within_hours)
    return Break(version, why, can_be_read=bool(terms.read))


def _meets(expect: str, findings: Mapping[str, Any] | None) -> bool:
    return not expect or bool(jmespath.search(expect, findings or {}))


def _limit(
    version: RuleVersion, terms: LimitTerms, change: ServerChange, setting: Setting
) -> Break | None:
    assert version.rule is not None
    service = version.rule.scope.service
    counted = sorted(
        step.at
        for step in _recent(setting, setting.history.attempted, terms.within_hours)
        if (terms.per == "scope" or step.server == change.server)
        and (not terms.actions or matches(terms.actions, step.tool))
        and (not service or not step.services or service in step.services)
    )
    if len(counted) < terms.at_most:
        return None
    frees = counted[len(counted) - terms.at_most] + timedelta(hours=terms.within_hours)
    words = {"most": terms.at_most, "hours": terms.within_hours, "count": len(counted)}
    return Break(version, t("rules.why.limit", **words), frees)


def _recent(setting: Setting, steps: Iterable[PastStep], hours: int) -> list[PastStep]:
    earliest = setting.at - timedelta(hours=hours)
    return [step for step in steps if earliest < step.at <= setting.at]


def local_text(moment: datetime, zone: tzinfo) -> str:
    """Format a time for a sentence, in the company's time zone."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def resolve(path: str) -> str:
    """Return a path without `.`, `..` and doubled slashes."""
    return "/" + posixpath.normpath(path).lstrip("/")


def is_within(path: str, prefix: str) -> bool:
    """Return whether a path is a prefix or is below it, after both are resolved."""
    inner, outer = resolve(path), resolve(prefix)
    return f"{inner}/".startswith("/" if outer == "/" else f"{outer}/")


def is_looser(old: SiteRule, new: SiteRule | None) -> bool:
    """Return whether a change of a rule may permit what the old one forbids; `None` removes it.

    Says `True` unless it is certain that nothing more is permitted.
    """
    if new is None or new.scope != old.scope:
        return True
    if new.valid_from and (old.valid_from is None or new.valid_from > old.valid_from):
        return True
    if new.valid_until and (old.valid_until is None or new.valid_until < old.valid_until):
        return True
    return not (new.terms == old.terms or _is_stricter(old, new))


def _is_stricter(old: SiteRule, new: SiteRule) -> bool:
    before, after = old.terms, new.terms
    covers = not after.actions or (before.actions and set(before.actions) <= set(after.actions))
    match before, after:
        case FreezeTerms(), FreezeTerms():
            stricter = set(before.periods) <= set(after.periods)
        case LimitTerms(), LimitTerms():
            stricter = (
                after.at_most <= before.at_most
                and after.within_hours >= before.within_hours
                and (after.per, before.per) != ("server", "scope")
            )
        case NeverTerms(), NeverTerms():
            stricter = not after.paths or (
                bool(before.paths) and set(before.paths) <= set(after.paths)
            )
        case _:
            stricter = before.kind == after.kind == "investigate"
    return bool(covers and stricter)
