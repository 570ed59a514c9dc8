"""What an agent has learned, applied to the procedures that a search has found. Pure.

A lesson only puts procedures that fit about equally well in another order, and says so. What a
procedure finds and plans, and what people must approve, stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardia.board.organization.agent_memory import Lesson, RunbookOutcome
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch

CLOSE_SCORE = 0.7
"""Part of the best score from which on a procedure fits about as well."""
_OUTCOMES = {"completed": "worked", "failed": "failed", "emergency": "failed", "unfit": "unfit"}


def reordered(
    found: Sequence[RunbookMatch], lessons: Sequence[Lesson], server: str
) -> tuple[RunbookMatch, ...]:
    """``found`` with what worked on this server before what failed there, among those that fit
    about as well as the best."""
    if not found:
        return ()
    known = {n.runbook: n.outcome for n in lessons if n.server == server and n.runbook}
    rank = {"worked": -1, "failed": 1, "unfit": 1}
    best = found[0].score * CLOSE_SCORE
    near = [f for f in found if f.score >= best]
    rest = [f for f in found if f.score < best]
    return (*sorted(near, key=lambda f: rank.get(known.get(f.runbook.id) or "", 0)), *rest)


def relevant_notes(
    found: Sequence[RunbookMatch], lessons: Sequence[Lesson], server: str
) -> list[str]:
    """What the lessons say of these procedures on this server, and what people have written."""
    names = {f.runbook.id: f.runbook.title for f in found}
    return [
        n.body if n.runbook is None else _sentence(n, names[n.runbook])
        for n in lessons
        if n.runbook is None or (n.server == server and n.runbook in names)
    ]


def _sentence(lesson: Lesson, title: str) -> str:
    words = {"sr": lesson.sr_id or "-", "title": title, "server": lesson.server or "-"}
    said = t(f"notes.last_time.{lesson.outcome}", **words)
    return said if lesson.body == lesson_text(title, lesson.server, lesson.outcome) else lesson.body


def lesson_text(title: str, server: str | None, outcome: str | None) -> str:
    """A lesson as an agent writes it down."""
    return t(f"notes.lesson.{outcome}", title=title, server=server or "-")


def experience(runbook: str, title: str, server: str | None, ending: str) -> RunbookOutcome | None:
    """What the end of a task teaches of its procedure; ``None`` where it was nobody's fault."""
    outcome = _OUTCOMES.get(ending)
    return (
        RunbookOutcome(runbook, outcome, lesson_text(title, server, outcome)) if outcome else None
    )
