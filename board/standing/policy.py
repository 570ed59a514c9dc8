"""Rules of standing approvals: what can be covered, and which uses are within limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any

from guardia.board.audit.canonical import digest
from guardia.board.core.plan import Category, Plan, Risk
from guardia.org.approvals import ApprovalPolicy, ApprovalStep
from guardia.org.approver_assignments import ENGINEER

KST = timezone(timedelta(hours=9), "KST")
"""Hours and days of limits are those of Korea, which has no daylight saving time."""
POLICY_ROLE = "admin"
"""The role that answers for the policy: it decides last, as on a change of policy."""
_NEVER = frozenset({Category.READ_ONLY, Category.DESTRUCTIVE, Category.FORCED})


class Refusal(StrEnum):
    """Why a plan cannot be covered, or not now."""

    CATEGORY = "category"
    IRREVERSIBLE = "irreversible"
    UNVERIFIED = "unverified"
    SOURCE = "source"
    """It does not come from a runbook."""
    CHAIN = "chain"
    """The category demands a passkey or an engineer, which no standing approval can replace."""
    OTHER = "other"
    """Another runbook, version, category, class of servers or tool than approved."""
    HOURS = "hours"
    LIMIT = "limit"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Routine:
    """What repeats: a runbook in one version on a class of servers."""

    document: str
    version: int
    sha256: str
    category: str
    institution: str
    kind: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as audit entries contain it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that people set; the hours may cross midnight, and equal hours mean all day."""

    per_day: int
    begins: time
    ends: time
    until: datetime
    """When it expires."""

    def contains(self, moment: datetime) -> bool:
        """Return whether a time is within the hours."""
        local = moment.astimezone(KST).time().replace(tzinfo=None)
        if self.begins == self.ends:
            return True
        if self.begins < self.ends:
            return self.begins <= local < self.ends
        return local >= self.begins or local < self.ends


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that people approve; its hash binds their decisions."""

    number: int
    routine: Routine
    title: str
    tools: tuple[str, ...]
    limits: Limits
    policy: str
    """Digest of the category's policy and the rules of standing approvals."""
    evidence: tuple[int, ...]
    """Numbers of the audit entries of the verified successes."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as audit entries contain it."""
        limits = self.limits
        return {
            "number": self.number,
            "routine": self.routine.as_dict(),
            "title": self.title,
            "tools": list(self.tools),
            "per_day": limits.per_day,
            "from": f"{limits.begins:%H:%M}",
            "until": f"{limits.ends:%H:%M}",
            "ends_at": limits.until.astimezone(KST).isoformat(),
            "policy": self.policy,
            "evidence": list(self.evidence),
        }

    @property
    def hash(self) -> str:
        """The hash that decisions are bound to."""
        return digest(self.as_dict())

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> Terms:
        """Return the terms in an audit entry."""
        limits = Limits(
            found["per_day"],
            time.fromisoformat(found["from"]),
            time.fromisoformat(found["until"]),
            datetime.fromisoformat(found["ends_at"]),
        )
        return cls(
            number=found["number"],
            routine=Routine(**found["routine"]),
            title=found["title"],
            tools=tuple(found["tools"]),
            limits=limits,
            policy=found["policy"],
            evidence=tuple(found["evidence"]),
        )


def uncoverable(plan: Plan, policy: ApprovalPolicy) -> Refusal | None:
    """Return why no standing approval can ever cover a plan, or `None` if one could."""
    cited = plan.citation
    if plan.category in _NEVER or plan.risk >= Risk.DESTRUCTIVE:
        return Refusal.CATEGORY
    if plan.irreversible or any(action.undo is None for action in plan.actions):
        return Refusal.IRREVERSIBLE
    if not plan.actions or not (plan.verify or all(a.verify for a in plan.actions)):
        return Refusal.UNVERIFIED
    if cited.version < 1 or ":" in cited.document or cited.document == "order":
        return Refusal.SOURCE
    if policy.signature is not None or ENGINEER in {step.role for step in policy.steps}:
        return Refusal.CHAIN
    return None


def refusal_of_use(
    terms: Terms, plan: Plan, routine: Routine, moment: datetime, used_today: int
) -> Refusal | None:
    """Return why a plan is not covered at a time, or `None` if it is."""
    tools = {action.call.tool for action in plan.actions}
    if routine != terms.routine or not tools <= set(terms.tools):
        return Refusal.OTHER
    if moment >= terms.limits.until:
        return Refusal.EXPIRED
    if not terms.limits.contains(moment):
        return Refusal.HOURS
    return Refusal.LIMIT if used_today >= terms.limits.per_day else None


def day_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return begin and end of the Korean day that contains a time."""
    return _bounds(moment.astimezone(KST).date())


def _bounds(day: date) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, time(), KST)
    return begin, begin + timedelta(days=1)


def required_steps(policy: ApprovalPolicy) -> tuple[ApprovalStep, ...]:
    """Return who must approve: everyone whom the category demands, then the role of the policy."""
    return (*policy.steps, ApprovalStep(role=POLICY_ROLE))


def policy_digest(policy: ApprovalPolicy, rules: Mapping[str, Any]) -> str:
    """Return the digest whose change ends standing approvals of a category."""
    return digest({"policy": policy.model_dump(mode="json"), "rules": dict(rules)})


def counted(successes: Sequence[int], failures: Sequence[int]) -> tuple[int, ...]:
    """Return the successes since the last failure."""
    last = max(failures, default=0)
    return tuple(seq for seq in successes if seq > last)
