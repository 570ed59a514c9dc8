"""Evaluation of the approval policy: valid decisions, complete chains, permitted start times.

Pure: no database, no clock. Denies by default; a decision that does not fit the progress of the
chain is ignored. Standard library and the policy's types only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from guardia.org.approvals import DAYS, ApprovalPolicy, ApprovalStep, Freeze, Window

_HORIZON = 400
"""Days within which a window must open; a later one counts as never."""
_READS = "READ_ONLY"
_CLOSABLE_KINDS = frozenset({"REQUEST", "CHANGE", "QUESTION"})
"""Kinds of issues that a rejection closes: what they ask for is simply not done."""


class DecisionVerdict(StrEnum):
    """Verdicts on a plan."""

    APPROVE = "approve"
    REJECT = "reject"
    CHANGE = "change"


class RejectionChoice(StrEnum):
    """What a person lets follow a rejection: rejecting a plan does not close its issue."""

    MANUAL = "manual"
    """A person takes over."""
    AGAIN = "again"
    """The agent diagnoses again; it does not propose this plan once more."""
    LATER = "later"
    """The same plan runs after a given time: an approval with that condition."""
    CLOSE = "close"
    """The issue ends without a change."""


class Denial(StrEnum):
    """Why a decision does not count."""

    NO_TURN = "no_turn"
    """No step is open, or another step is current."""
    ROLE = "role"
    OWN = "own"
    """The requester and the plan's author may not decide, under any of their accounts."""
    TWICE = "twice"
    """One human counts once in a chain, under all accounts and on behalf of anyone."""
    ANONYMOUS = "anonymous"
    """The requester is unknown, so no approver can be shown to be another human."""


@dataclass(frozen=True, slots=True)
class ApproverRole:
    """The role, and on whose behalf, a person decides."""

    role: str
    principal: str | None = None
    """The delegating person; `None` if they act in their own name."""


@dataclass(frozen=True, slots=True)
class StepDecision:
    """One person's decision on one step; steps count from 1."""

    step: int
    person: str
    approver_role: ApproverRole
    verdict: DecisionVerdict = DecisionVerdict.APPROVE
    run_after: datetime | None = None
    """The earliest start that an approval demands."""

    @property
    def parties(self) -> frozenset[str]:
        """The accounts whose single decision in the chain it spends."""
        principal = self.approver_role.principal
        return frozenset({self.person} | ({principal} if principal else set()))


@dataclass(frozen=True, slots=True)
class ApprovalChain:
    """The steps of a chain, the accounts excluded from it, and its escalations."""

    steps: tuple[ApprovalStep, ...]
    excluded: frozenset[str] = frozenset()
    """Accounts of the requester and the plan's author."""
    escalated: Mapping[int, str] = field(default_factory=dict)
    """Additional role that may decide a step, by step number."""
    humans: Mapping[str, str] = field(default_factory=dict)
    """The human behind each account of people with several; other accounts map to themselves."""
    requester_unknown: bool = False
    """The policy requires a known requester and there is none: only refusals count."""

    def humans_behind(self, accounts: Iterable[str]) -> frozenset[str]:
        """Return the humans behind accounts."""
        return frozenset(self.humans.get(account, account) for account in accounts)

    def roles(self, step: int) -> frozenset[str]:
        """Return the roles that may decide a step."""
        additional = self.escalated.get(step)
        return frozenset({self.steps[step - 1].role} | ({additional} if additional else set()))


@dataclass(frozen=True, slots=True)
class ApprovalProgress:
    """Progress of a chain."""

    current: int | None
    """Number of the current step; `None` if the chain is complete or refused."""
    given: tuple[StepDecision, ...]
    """The valid decisions."""
    refused: bool = False

    @property
    def complete(self) -> bool:
        """Whether all steps are approved."""
        return self.current is None and not self.refused


def evaluate_chain(chain: ApprovalChain, decisions: Iterable[StepDecision]) -> ApprovalProgress:
    """Compute the progress of a chain from decisions in the order they were made."""
    now = ApprovalProgress(1 if chain.steps else None, ())
    for decision in decisions:
        if check_decision(chain, now, decision) is None:
            now = _apply(chain, now, decision)
    return now


def check_decision(
    chain: ApprovalChain, now: ApprovalProgress, decision: StepDecision
) -> Denial | None:
    """Return why a decision would not count, or `None` if it would."""
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


def default_choice(kind: str | None) -> RejectionChoice:
    """Return what follows a rejection without a choice, by the kind of issue.

    An incident is not closed: the fault may persist, so a person takes over.
    """
    return RejectionChoice.CLOSE if kind in _CLOSABLE_KINDS else RejectionChoice.MANUAL


def earliest_demanded(decisions: Iterable[StepDecision]) -> datetime | None:
    """Return the latest of the starts that approvals demand, or `None` if none does."""
    return max((d.run_after for d in decisions if d.run_after is not None), default=None)


def find_permitted_decision(
    chain: ApprovalChain,
    now: ApprovalProgress,
    person: str,
    approver_roles: Sequence[ApproverRole],
    verdict: DecisionVerdict = DecisionVerdict.APPROVE,
) -> tuple[StepDecision | None, Denial]:
    """Find the first role in which a person may decide now.

    Returns `None` and the most specific denial if there is none.
    """
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
    """Windows and freezes that apply to a task."""

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
    """Return the windows and freezes for a category and an institution.

    All windows and freezes apply to work of an unknown institution.
    """

    def applies(institutions: tuple[str, ...]) -> bool:
        return not institutions or institution is None or institution in institutions

    return ChangeCalendar(
        tuple(w for w in policy.windows if applies(w.institutions)),
        tuple(
            f
            for f in freezes
            if applies(f.institutions)
            and (category in f.categories if f.categories else category != _READS)
        ),
        zone,
    )


def next_opening(when: ChangeCalendar, now: datetime) -> datetime | None:
    """Return the first time from `now` on at which work may run, or `None` if there is none."""
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
    """Return `moment` if the window is open then, or the time when it opens next."""
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
