"""Decide whether a runbook that was found is for a request at all. Pure.

Search always finds the nearest words: "웹쉘이 의심됩니다" leads to the certificate check by "웹".
The bounds were measured on 225 requests with the right runbook first, and 262 reports that no
shipped runbook is for (docs/triage.md): 222 stay, 249 go to people.
"""

from __future__ import annotations

from guardia.knowledge.library import RunbookMatch

LEAST_SCORE = 6.5
FAR_BETTER = 12.0
"""From here on the words alone decide, also in another field than triage has read."""
_UNKNOWN = (None, "GENERAL")


def applies(found: RunbookMatch, category: str | None, action_type: str | None) -> bool:
    """Return whether the runbook is for a request of this category.

    Work that the text names itself needs no such proof: the runbook's own rules check it.
    """
    if action_type is not None:
        return True
    own = category in (*_UNKNOWN, *found.runbook.skills)
    return found.score >= (LEAST_SCORE if own else FAR_BETTER)
