"""The approval policy applied: whose decision counts, when a chain is complete, when work may run.

Pure: no database, no clock. Whoever cannot be proven to be allowed is not; a decision that does
not fit where the chain stands counts for nothing. Standard library and the policy's types only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from guardia.org.approvals import DAYS, ApprovalPolicy, ApprovalStep, Freeze, Window

_HORIZON = 400
"""Days in which a window must open; beyond it, work never may run."""
_READS = "READ_ONLY"


class DecisionVerdict(StrEnum):
    """What a person can say to a plan."""

    APPROVE = "approve"
    REJECT = "reject"
    CHANGE = "change"


class Denial(StrEnum):
    """Why a decision does not count."""

    NO_TURN = "no_turn"
    """Nothing waits, or it is another step's turn."""
    ROLE = "role"
    OWN = "own"
    """The requester and the plan's author have no say in it, under whatever account."""
    TWICE = "twice"
    """One human counts once in a chain, in whoever's name and under whatever account they act."""
    ANONYMOUS = "anonymous"
    """Nobody knows who asked, so nobody can be known to be somebody else."""


@dataclass(frozen=True, slots=True)
class ApproverRole:
    """In which role, and in whose name, a person acts."""

    role: str
    principal: str | None = None
    """Who has delegated; ``None`` in one's own right."""


@dataclass(frozen=True, slots=True)
class StepDecision:
    """One person's word on one step (counted from 1)."""

    step: int
    person: str
    approver_role: ApproverRole
    verdict: DecisionVerdict = DecisionVerdict.APPROVE

    @property
    def parties(self) -> frozenset[str]:
        """Everyone whose authority it uses up."""
        principal = self.approver_role.principal
        return frozenset({self.person} | ({principal} if principal else set()))


@dataclass(frozen=True, slots=True)
class ApprovalChain:
    """What must be decided, by whom not, and which steps have escalated."""

    steps: tuple[ApprovalStep, ...]
    excluded: frozenset[str] = frozenset()
    """The requester, the plan's author."""
    escalated: Mapping[int, str] = field(default_factory=dict)
    """The role that may fill a step as well, by the number of the step."""
    humans: Mapping[str, str] = field(default_factory=dict)
    """Who is behind an account that is one of several; any other stands for itself."""
    requester_unknown: bool = False
    """The requester must be known, and is not: it can be refused, and not approved."""

    def humans_behind(self, accounts: Iterable[str]) -> frozenset[str]:
        """The humans of these accounts."""
        return frozenset(self.humans.get(account, account) for account in accounts)

    def roles(self, step: int) -> frozenset[str]:
        """Who may fill a step."""
        further = self.escalated.get(step)
        return frozenset({self.steps[step - 1].role} | ({further} if further else set()))


@dataclass(frozen=True, slots=True)
class ApprovalProgress:
    """How far a chain has come."""

    current: int | None
    """The step whose turn it is; ``None`` where it is complete or has been refused."""
    given: tuple[StepDecision, ...]
    """The decisions that count."""
    refused: bool = False

    @property
    def complete(self) -> bool:
        """Whether everything that is demanded has been given."""
        return self.current is None and not self.refused


def evaluate_chain(chain: ApprovalChain, decisions: Iterable[StepDecision]) -> ApprovalProgress:
    """Where a chain stands after decisions in the order they were made."""
    now = ApprovalProgress(1 if chain.steps else None, ())
    for decision in decisions:
        if check_decision(chain, now, decision) is None:
            now = _apply(chain, now, decision)
    return now


def check_decision(
    chain: ApprovalChain, now: ApprovalProgress, decision: StepDecision
) -> Denial | None:
    """Why a decision would not count here, or ``None``."""
    if now.current is None or decision.step != now.current:
        return Denial.NO_TURN
    if decision.approver_role.role not in chain.roles(now.current):
        return Denial.ROLE
    if chain.requester_unknown and decision.verdict is DecisionVerdict.APPROVE:
        return Denial.ANONYMOUS
    humans = chain.humans_behind(decision.parties)
    if humans & chain.humans_behind(chain.excluded):
        return Denial.OWN
    if any(humans & chain.humans_behind(earlier.parties) for earlier in now.given):
        return Denial.TWICE
    return None


def _apply(chain: ApprovalChain, now: ApprovalProgress, decision: StepDecision) -> ApprovalProgress:
    given = (*now.given, decision)
    if decision.verdict is not DecisionVerdict.APPROVE:
        return ApprovalProgress(None, given, refused=True)
    assert now.current is not None
    filled = sum(d.step == now.current for d in given)
    if filled < chain.steps[now.current - 1].quorum:
        return ApprovalProgress(now.current, given)
    following = now.current + 1
    return ApprovalProgress(following if following <= len(chain.steps) else None, given)


def find_permitted_decision(
    chain: ApprovalChain,
    now: ApprovalProgress,
    person: str,
    approver_roles: Sequence[ApproverRole],
    verdict: DecisionVerdict = DecisionVerdict.APPROVE,
) -> tuple[StepDecision | None, Denial]:
    """The first capacity in which a person may decide now; else the most telling denial."""
    if now.current is None:
        return None, Denial.NO_TURN
    why = Denial.ROLE
    for approver_role in approver_roles:
        decision = StepDecision(now.current, person, approver_role, verdict)
        refusal = check_decision(chain, now, decision)
        if refusal is None:
            return decision, why
        if refusal is not Denial.ROLE and why is Denial.ROLE:
            why = refusal
    return None, why


# When approved work may run ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChangeCalendar:
    """Windows and freezes of one piece of work."""

    windows: tuple[Window, ...]
    freezes: tuple[Freeze, ...]
    zone: tzinfo


def calendar_for(
    policy: ApprovalPolicy,
    freezes: Iterable[Freeze],
    zone: tzinfo,
    category: str,
    institution: str | None,
) -> ChangeCalendar:
    """What of a policy concerns this category and institution.

    Work whose institution nobody knows is bound by everyone's windows and freezes.
    """

    def concerns(institutions: tuple[str, ...]) -> bool:
        return not institutions or institution is None or institution in institutions

    return ChangeCalendar(
        tuple(w for w in policy.windows if concerns(w.institutions)),
        tuple(
            f
            for f in freezes
            if concerns(f.institutions)
            and (category in f.categories if f.categories else category != _READS)
        ),
        zone,
    )


def next_opening(when: ChangeCalendar, now: datetime) -> datetime | None:
    """The first moment from ``now`` on at which work may run; ``None``: never that we can see."""
    moment, last = now, now + timedelta(days=_HORIZON)
    while moment <= last:
        frozen = [
            _localized(f.ends, when.zone) for f in when.freezes if _is_frozen(f, moment, when.zone)
        ]
        if frozen:
            moment = max(frozen)
            continue
        starts = [
            s for w in when.windows if (s := _window_opening(w, moment, when.zone)) is not None
        ]
        if not when.windows or moment in starts:
            return moment
        if not starts:
            return None
        moment = min(starts)
    return None


def _localized(moment: datetime, zone: tzinfo) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _is_frozen(freeze: Freeze, moment: datetime, zone: tzinfo) -> bool:
    return _localized(freeze.begins, zone) <= moment < _localized(freeze.ends, zone)


def _window_opening(window: Window, moment: datetime, zone: tzinfo) -> datetime | None:
    """``moment`` itself where the window is open then, else when it opens next."""
    today = moment.astimezone(zone).date()
    for offset in range(-1, 9):
        day = today + timedelta(days=offset)
        if DAYS[day.weekday()] not in window.days:
            continue
        begin, end = _span(window, day, zone)
        if begin <= moment < end:
            return moment
        if begin > moment:
            return begin
    return None


def _span(window: Window, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, window.begins, zone)
    ends_on = day if window.ends > window.begins else day + timedelta(days=1)
    return begin, datetime.combine(ends_on, window.ends, zone)
