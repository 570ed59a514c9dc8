"""Lessons reorder the runbooks that a search has found."""

from __future__ import annotations

import pytest
from full_stack import LIBRARY
from hypothesis import given
from hypothesis import strategies as st

from guardia.agents import lessons
from guardia.board.organization.agent_memory import Lesson
from guardia.knowledge.library import RunbookMatch

BOOKS = LIBRARY.runbooks[:4]
HERE = "MOF-DB-01"


def found(*scores: float) -> list[RunbookMatch]:
    pairs = zip(BOOKS, scores, strict=False)
    return [RunbookMatch(book, book.passages[0], score) for book, score in pairs]


def lesson(book: int, outcome: str, server: str = HERE) -> Lesson:
    return Lesson(1, "", 12, server, BOOKS[book].id, outcome)


def order(hits: list[RunbookMatch], *known: Lesson) -> list[int]:
    ids = [b.id for b in BOOKS]
    return [ids.index(f.runbook.id) for f in lessons.reordered(hits, known, HERE)]


def test_what_worked_here_comes_first_among_close_matches() -> None:
    assert order(found(10, 9), lesson(1, "worked")) == [1, 0]
    assert order(found(10, 9), lesson(0, "failed")) == [1, 0]
    assert order(found(10, 9), lesson(0, "unfit")) == [1, 0]


def test_weak_matches_and_lessons_of_other_servers_change_nothing() -> None:
    assert order(found(10, 5), lesson(1, "worked"), lesson(0, "failed")) == [0, 1]
    assert order(found(10, 9), lesson(1, "worked", "MOE-DB-01")) == [0, 1]
    assert order(found(10, 9), Lesson(1, "사람의 메모")) == [0, 1]
    assert order([]) == []


@given(
    st.lists(st.floats(0.1, 100), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["worked", "failed", "unfit"]))),
)
@pytest.mark.slow
def test_no_runbook_is_lost_or_gained(scores: list[float], known: list[tuple[int, str]]) -> None:
    hits = found(*sorted(scores, reverse=True))
    given_order = order(hits, *(lesson(*k) for k in known))
    assert sorted(given_order) == list(range(len(hits)))


def test_the_source_of_a_lesson_is_stated() -> None:
    title = BOOKS[0].title
    body = lessons.lesson_text(title, HERE, "worked")
    known = [Lesson(1, body, 12, HERE, BOOKS[0].id, "worked"), Lesson(2, "사람의 메모")]
    said = lessons.relevant_notes(found(10), known, HERE)
    assert said[0].startswith("지난 SR-12") and title in said[0] and said[1] == "사람의 메모"
    edited = [Lesson(1, "이제는 쓰지 않음", 12, HERE, BOOKS[0].id, "worked")]
    assert lessons.relevant_notes(found(10), edited, HERE) == ["이제는 쓰지 않음"]


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ("completed", "worked"),
        ("failed", "failed"),
        ("unchanged", "unchanged"),
        ("emergency", "not_undone"),
        ("lost", "unknown"),
        ("unfit", "unfit"),
    ],
)
def test_endings_become_lessons(ending: str, outcome: str) -> None:
    learned = lessons.experience("db-lock-chain", "잠금", HERE, ending)
    assert learned is not None and learned.outcome == outcome


def test_only_what_was_undone_is_called_undone() -> None:
    said = {
        ending: lessons.experience("db-lock-chain", "잠금", HERE, ending)
        for ending in ("failed", "unchanged", "emergency", "lost")
    }
    claims = {ending for ending, one in said.items() if one and "원복했습니다" in one.body}
    assert claims == {"failed"}
    for one in said.values():
        assert one is not None
        lesson = Lesson(1, one.body, 12, HERE, BOOKS[0].id, one.outcome)
        last_time = lessons.relevant_notes(found(10), [lesson], HERE)
        assert ("원복했습니다" in last_time[0]) == (one.outcome == "failed")


def test_other_endings_teach_nothing() -> None:
    assert lessons.experience("db-lock-chain", "잠금", HERE, "manual") is None
