"""Apply an agent's lessons to the runbooks that a search has found. Pure.

A lesson only reorders runbooks that fit about equally well, and explains it. What a runbook
diagnoses and plans, and what people must approve, stays unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardia.board.organization.agent_memory import Lesson, RunbookOutcome
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch

CLOSE_SCORE = 0.7
"""Fraction of the best score from which a runbook fits about equally well."""
_OUTCOMES = {
    "completed": "worked",
    "failed": "failed",
    "unchanged": "unchanged",
    "emergency": "not_undone",
    "lost": "unknown",
    "unfit": "unfit",
}
_LAST = frozenset(_OUTCOMES.values()) - {"worked"}


def reordered(
    found: Sequence[RunbookMatch], lessons: Sequence[Lesson], server: str
) -> tuple[RunbookMatch, ...]:
    """Return `found` with what worked on this server first and what failed there last.

    Only runbooks that fit about as well as the best are reordered.
    """
    if not found:
        return ()
    known = {n.runbook: n.outcome for n in lessons if n.server == server and n.runbook}
    rank = {"worked": -1, **dict.fromkeys(_LAST, 1)}
    best = found[0].score * CLOSE_SCORE
    near = [f for f in found if f.score >= best]
    rest = [f for f in found if f.score < best]
    return (*sorted(near, key=lambda f: rank.get(known.get(f.runbook.id) or "", 0)), *rest)


def relevant_notes(
    found: Sequence[RunbookMatch], lessons: Sequence[Lesson], server: str
) -> list[str]:
    """Return the lessons about these runbooks on this server, and the notes that people wrote."""
    names = {f.runbook.id: f.runbook.title for f in found}
    return [
        n.body if n.runbook is None else _sentence(n, names[n.runbook])
        for n in lessons
        if n.runbook is None or (n.server == server and n.runbook in names)
    ]


def _sentence(lesson: Lesson, title: str) -> str:
    words = {"sr": lesson.sr_id or "-", "title": title, "server": lesson.server or "-"}
    if lesson.body != lesson_text(title, lesson.server, lesson.outcome):
        return lesson.body
    return t(f"notes.last_time.{lesson.outcome}", **words)


def lesson_text(title: str, server: str | None, outcome: str | None) -> str:
    """Return the text of a lesson as an agent writes it."""
    return t(f"notes.lesson.{outcome}", title=title, server=server or "-")


def experience(runbook: str, title: str, server: str | None, ending: str) -> RunbookOutcome | None:
    """Return what a task's end teaches about its runbook, or `None` if it teaches nothing.

    `ending` is that of the task, or more precisely `unchanged`, `lost` or `unfit`.
    """
    outcome = _OUTCOMES.get(ending)
    return (
        RunbookOutcome(runbook, outcome, lesson_text(title, server, outcome)) if outcome else None
    )
