"""A root plan that names the plans of several servers, so that one approval covers them together.

Its passage lists the digest of each plan in the order in which they run; the digest of the passage
is part of the root plan, and so of the hash to which approvals are bound. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from guardia.board.audit.canonical import digest
from guardia.board.core.plan import Citation, Plan, RuleException

DOCUMENT = "rollout"
"""Name by which a root plan cites the list of its plans."""
_LINE = re.compile(r"^([0-9]+)\. (\S+) \S+ ([0-9a-f]{64})$", re.M)


@dataclass(frozen=True, slots=True)
class BundledPlan:
    """One plan of a bundle, and its batch."""

    batch: int
    service: str
    plan: Plan


def content_hash(plan: Plan) -> str:
    """Return the digest of a plan, independent of the task that will carry it out."""
    return digest(plan.model_dump(mode="json"))


def passage_of(terms: Sequence[str], plans: Sequence[BundledPlan]) -> str:
    """Return the text to which an approval is bound: the terms, then each plan in its order."""
    lines = [
        f"{one.batch}. {one.plan.server} {one.service} {content_hash(one.plan)}" for one in plans
    ]
    return "\n".join((*terms, *lines))


def root_plan(
    category: str,
    title: str,
    because: str,
    passage: str,
    exceptions: tuple[RuleException, ...] = (),
) -> Plan:
    """Return the plan that is approved for all of them. It has no action of its own.

    It names every exception of theirs, so that its approvals are those that they take.
    """
    return Plan(
        server="",
        category=category,
        because=because,
        citation=Citation(
            document=DOCUMENT, title=title, version=1, sha256=digest(passage), passage=passage
        ),
        actions=(),
        exceptions=exceptions,
    )


def lists(root: Plan, plan: Plan) -> bool:
    """Return whether a root plan names exactly this plan for its server."""
    cited = root.citation
    if cited.document != DOCUMENT or digest(cited.passage) != cited.sha256:
        return False
    # The chain of the root plan is that of work that can be undone.
    if plan.category != root.category or plan.irreversible:
        return False
    permitted = {(one.rule, one.version, one.hash) for one in root.exceptions}
    if any((one.rule, one.version, one.hash) not in permitted for one in plan.exceptions):
        return False
    found = {(server, sha256) for _, server, sha256 in _LINE.findall(cited.passage)}
    return (plan.server, content_hash(plan)) in found
