"""Site rules applied to a plan: what it breaks, when it may start, and what is read first.

`require_permitted` is what binds: `commands.record_intent` calls it in its transaction before each
change. The other functions are for people and agents in advance. An undo is never checked: a
rollback is always allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan, RuleException, ToolCall
from guardia.board.core.planner import Planner
from guardia.board.execution import rule_history
from guardia.board.site_rules import policy, store
from guardia.board.site_rules.policy import (
    Break,
    PastStep,
    RuleVersion,
    ServerChange,
    Setting,
)
from guardia.board.site_rules.terms import FirstTerms, LimitTerms, NeverTerms, SiteRule
from guardia.errors import NotFound, RuleBroken
from guardia.org import registry, revisions
from guardia.org.directory import Host

_MOST_WAITS = 50
_LOCK_SPACE = 710_000


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """A rule that is about a plan, and what it says to it at one time."""

    rule: RuleVersion
    breaks: tuple[tuple[int, Break], ...] = ()
    """Actions (by ordinal) that it forbids, each with why."""
    is_excepted: bool = False
    """Whether the plan has an exception from it."""

    @property
    def state(self) -> str:
        """`kept`, `excepted`, `read_first`, `waits` or `broken`."""
        if not self.breaks:
            return "kept"
        if self.is_excepted:
            return "excepted"
        found = [broken for _, broken in self.breaks]
        if all(broken.can_be_read for broken in found):
            return "read_first"
        forever = any(b.until is None and not b.can_be_read for b in found)
        return "broken" if forever else "waits"

    @property
    def until(self) -> datetime | None:
        """When it permits the plan, if it only has to wait."""
        return max((b.until for _, b in self.breaks if b.until), default=None)

    @property
    def why(self) -> str:
        """What it forbids or misses, each sentence once."""
        return " ".join(dict.fromkeys(broken.why for _, broken in self.breaks))


@dataclass(frozen=True, slots=True)
class Ruling:
    """What all rules say to a plan at one time."""

    rules: tuple[RuleStatus, ...] = ()

    @property
    def broken(self) -> tuple[RuleStatus, ...]:
        """Rules that forbid the plan however long it waits."""
        return tuple(status for status in self.rules if status.state == "broken")

    @property
    def waits(self) -> tuple[RuleStatus, ...]:
        """Rules that permit it later."""
        return tuple(status for status in self.rules if status.state == "waits")

    @property
    def sentences(self) -> tuple[str, ...]:
        """Why it may not run now, a sentence for each rule."""
        stopping = (*self.broken, *self.waits)
        return tuple(str(replace(s.breaks[0][1], why=s.why)) for s in stopping)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the rules permit a plan: at `start`, or never by waiting."""

    ruling: Ruling
    """At the time that was asked for."""
    start: datetime | None


def rule_on(session: Session, planner: Planner, task: Task, plan: Plan, at: datetime) -> Ruling:
    """Return what the rules say to a plan that would begin at a time."""
    found = _load(session, planner, task.task_id, plan, at)
    return found.at(at) if found else Ruling()


def rule_on_bundle(
    session: Session, planner: Planner, plans: Sequence[tuple[int, Plan]], at: datetime
) -> list[Ruling]:
    """Return what the rules say to plans of several servers that would begin at a time.

    Each comes with its batch: what earlier batches change counts as completed.
    """
    ruled = store.servers_with_rules(session, {plan.server for _, plan in plans})
    if not ruled:
        return [Ruling()] * len(plans)
    before: list[tuple[int, ServerChange]] = []
    rulings = []
    for batch, plan in plans:
        host = registry.host(session, plan.server)
        found = _load(session, planner, None, plan, at) if plan.server in ruled else None
        if found is not None:
            earlier = tuple((number < batch, change) for number, change in before)
            rulings.append(replace(found, earlier=earlier).at(at))
        else:
            rulings.append(Ruling())
        before += [(batch, _change(planner, host, action.call)) for action in plan.actions]
    return rulings


def schedule(
    session: Session, planner: Planner, task: Task, plan: Plan, wanted: datetime
) -> Schedule:
    """Return what the rules say at a time, and the first time from then on that they permit."""
    found = _load(session, planner, task.task_id, plan, wanted)
    return _schedule(found, wanted) if found else Schedule(Ruling(), wanted)


def _schedule(found: _Loaded, wanted: datetime) -> Schedule:
    first, start = found.at(wanted), wanted
    ruling = first
    for _ in range(_MOST_WAITS):
        if ruling.broken:
            return Schedule(first, None)
        if not ruling.waits:
            return Schedule(first, start)
        start = max((s.until for s in ruling.waits if s.until), default=start)
        ruling = found.at(start)
    return Schedule(first, None)


def schedule_of(board: BoardContext, task_id: int, plan: Plan) -> Schedule:
    """Return when the rules permit a plan that an agent is about to file."""
    now = board.clock()
    with board.database.reading() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(what=f"task {task_id}")
        return schedule(session, board.planner, task, plan, max(now, plan.starts_at or now))


@dataclass(frozen=True, slots=True)
class Trial:
    """What the rules say to an action that is in no plan."""

    ruling: Ruling
    start: datetime | None
    zone: tzinfo


def try_action(
    board: BoardContext, server: str, tool: str, args: dict[str, Any], at: datetime
) -> Trial:
    """Return what the rules would say to an action on a server at a time."""
    with board.database.reading() as session:
        host = registry.host(session, server)
        change = _change(board.planner, host, ToolCall(tool=tool, args=args))
        rules = store.rules_of_server(session, server)
        history = rule_history.load_history(session, rules, server, None, at)
        zone = revisions.running_chart(session).company.zone
    found = _Loaded((), rules, (change,), Setting(at, zone, history))
    planned = _schedule(found, at)
    return Trial(planned.ruling, planned.start, zone)


def require_permitted(
    session: Session, planner: Planner, task: Task, plan: Plan, ordinal: int, now: datetime
) -> list[str]:
    """Raise `RuleBroken` if a rule forbids an action now; return the rules that it may break."""
    found = _load(session, planner, task.task_id, plan, now, locking=True)
    if found is None:
        return []
    excepted = []
    for version in found.rules:
        broken = policy.find_break(version, found.changes[ordinal], found.setting(now))
        if broken is None:
            continue
        if not is_excepted(plan.exceptions, version):
            raise RuleBroken(why=str(broken))
        excepted.append(version.name)
    return excepted


def required_reads(board: BoardContext, task_id: int, plan: Plan, ordinal: int) -> list[ToolCall]:
    """Return the reads that rules demand before an action and that have not succeeded lately."""
    now = board.clock()
    with board.database.reading() as session:
        found = _load(session, board.planner, task_id, plan, now)
    if found is None:
        return []
    calls = []
    for version in found.rules:
        broken = policy.find_break(version, found.changes[ordinal], found.setting(now))
        if broken is None or not broken.can_be_read or version.rule is None:
            continue
        match version.rule.terms:
            case FirstTerms() as terms:
                calls.append(ToolCall(tool=terms.read, args=dict(terms.args)))
            case NeverTerms() as terms:
                paths = (*(found.changes[ordinal].paths or ()), *terms.paths)
                if (call := board.planner.resolving_read(paths)) is not None:
                    calls.append(call)
            case _:
                pass
    return calls


def is_excepted(exceptions: Iterable[RuleException], version: RuleVersion) -> bool:
    """Return whether there is an exception from exactly this content of a rule."""
    given = {(e.rule, e.version, e.hash) for e in exceptions}
    return (version.name, version.version, version.hash) in given


def exceptions_for(
    ruling: Ruling, reason: str, names: Sequence[str] = ()
) -> tuple[RuleException, ...]:
    """Return exceptions from the named rules, by default from all that forbid a plan."""
    return tuple(
        RuleException(
            rule=status.rule.name,
            version=status.rule.version,
            hash=status.rule.hash,
            sentence=status.rule.sentence,
            why=status.why,
            reason=reason,
        )
        for status in ruling.rules
        if (status.rule.name in names if names else status.state in ("broken", "waits"))
        and status.breaks
    )


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The rules of a plan's server with everything that they look at."""

    exceptions: Sequence[RuleException]
    rules: Sequence[RuleVersion]
    changes: Sequence[ServerChange]
    base: Setting
    earlier: Sequence[tuple[bool, ServerChange]] = ()
    """Changes of other plans that run before, and whether they are completed by then."""

    def setting(self, at: datetime) -> Setting:
        return replace(self.base, at=at)

    def at(self, moment: datetime) -> Ruling:
        """Return the ruling on all actions, each with the earlier ones as done at that time."""
        return Ruling(tuple(self._statuses(moment)))

    def _statuses(self, moment: datetime) -> Iterator[RuleStatus]:
        for version in self.rules:
            if version.rule and not self._is_about(version.rule, moment):
                continue
            found = []
            for ordinal, change in enumerate(self.changes):
                before = self._with_earlier(ordinal, moment, version.rule)
                broken = policy.find_break(version, change, before)
                if broken is not None:
                    own = version.rule is not None and _counts_itself(self, version, ordinal)
                    found.append((ordinal, replace(broken, until=None) if own else broken))
            yield RuleStatus(version, tuple(found), is_excepted(self.exceptions, version))

    def _is_about(self, rule: SiteRule, moment: datetime) -> bool:
        return policy.is_valid(rule, moment, self.base.zone) and any(
            policy.applies_to(rule, change) for change in self.changes
        )

    def _with_earlier(self, ordinal: int, moment: datetime, rule: SiteRule | None) -> Setting:
        """Return the setting after the earlier actions; of other plans those that a rule counts."""
        own = [_step(change, moment) for change in self.changes[:ordinal]]
        done = [_step(change, moment) for is_done, change in self.earlier if is_done]
        counted = [
            _step(change, moment)
            for _, change in self.earlier
            if rule is not None and policy.applies_to(rule, change)
        ]
        known = self.base.history
        history = replace(
            known,
            completed=[*known.completed, *done, *own],
            attempted=[*known.attempted, *counted, *own],
        )
        return replace(self.base, at=moment, history=history)


def _step(change: ServerChange, at: datetime) -> PastStep:
    return PastStep(change.server, change.tool, change.args, at, services=change.services)


def _counts_itself(found: _Loaded, version: RuleVersion, ordinal: int) -> bool:
    """Return whether a plan exceeds a limit by its own actions, which no waiting helps."""
    terms = version.rule.terms if version.rule else None
    if not isinstance(terms, LimitTerms):
        return False
    own = [
        c for c in found.changes[:ordinal] if version.rule and policy.applies_to(version.rule, c)
    ]
    return len(own) >= terms.at_most


def _load(
    session: Session,
    planner: Planner,
    task_id: int | None,
    plan: Plan,
    now: datetime,
    *,
    locking: bool = False,
) -> _Loaded | None:
    """Load the rules of a plan's server; `None` if there are none, or nothing is changed."""
    if not plan.actions:
        return None
    rules = store.rules_of_server(session, plan.server)
    if not rules:
        return None
    host = registry.host(session, plan.server)
    if locking:
        _lock_counted(session, rules)
    zone = revisions.running_chart(session).company.zone
    resolver = planner.resolving_read(("/",))
    history = rule_history.load_history(
        session, rules, plan.server, task_id, now, resolver.tool if resolver else ""
    )
    changes = [_change(planner, host, action.call) for action in plan.actions]
    return _Loaded(plan.exceptions, rules, changes, Setting(now, zone, history))


def _lock_counted(session: Session, rules: Iterable[RuleVersion]) -> None:
    """Let one task at a time count the changes of several servers."""
    names = [
        version.name
        for version in rules
        if version.rule
        and isinstance(version.rule.terms, LimitTerms)
        and version.rule.terms.per == "scope"
    ]
    for name in sorted(names):
        session.execute(
            select(func.pg_advisory_xact_lock(func.hashtextextended(name, _LOCK_SPACE)))
        )


def _change(planner: Planner, host: Host, call: ToolCall) -> ServerChange:
    touched = planner.touched(call, host)
    return ServerChange(
        host.server_id, host.institution, call.tool, call.args, touched.services, touched.paths
    )
