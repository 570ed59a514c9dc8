"""Compare the plan that an agent would have carried out with what people did. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple


class Comparison(StrEnum):
    """How what people did compares with the plan that was observed."""

    SAME = "same"
    DIFFERENT = "different"
    NOTHING = "nothing"
    """The plan would have changed something, and people ended the work without a change."""
    INCOMPARABLE = "incomparable"
    """People completed the work outside of the board, which knows no commands of it."""
    OPEN = "open"
    """People have not ended the work yet."""


JUDGED = (Comparison.SAME, Comparison.DIFFERENT, Comparison.NOTHING)
"""Results that count in the share; the others say nothing about the plan."""


class Change(NamedTuple):
    """One change of a server: the tool, and its arguments as canonical JSON."""

    server: str
    tool: str
    args: str


class HowEnded(StrEnum):
    """How the observed work ended, as the audit log says."""

    OPEN = "open"
    CARRIED_OUT = "carried_out"
    """A plan was executed to its end, or rolled back."""
    BY_HAND = "by_hand"
    """A person said that it is done."""
    DROPPED = "dropped"
    """A person stopped it."""


def compare(would: Sequence[Change], did: Sequence[Change], ended: HowEnded) -> Comparison:
    """Compare the changes of an observed plan with the changes that were made."""
    if ended is HowEnded.OPEN:
        return Comparison.OPEN
    if did:
        return Comparison.SAME if Counter(would) == Counter(did) else Comparison.DIFFERENT
    if not would:
        return Comparison.INCOMPARABLE if ended is HowEnded.BY_HAND else Comparison.SAME
    return Comparison.INCOMPARABLE if ended is HowEnded.BY_HAND else Comparison.NOTHING


def share_same(found: Iterable[Comparison]) -> int | None:
    """Return the percentage of the same among the judged, rounded down; `None` if none is."""
    judged = [one for one in found if one in JUDGED]
    if not judged:
        return None
    return 100 * sum(one is Comparison.SAME for one in judged) // len(judged)
