"""Scores of engineers and specialists for an issue, with reasons."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.agents import fit
from guardia.board.cmdb.responsibility import Candidate
from guardia.board.organization.candidates import Specialist
from guardia.org.directory import PersonInfo


def engineer(name: str, *skills: str, proficiency: int = 0, load: int = 0) -> Candidate:
    """Return an engineer as the board records them."""
    person = PersonInfo(id=name, name=name, title="대리", role="engineer", skills=skills)
    return Candidate(person, proficiency, load)


def best(*candidates: Candidate, category: str = "DB") -> str | None:
    """Return the id of the recommended engineer."""
    found = fit.best_engineer(list(candidates), category)
    return found.candidate.person.id if found else None


def test_without_skill_or_server_no_one_is_recommended() -> None:
    assert best() is None
    assert best(engineer("a", "WAS"), engineer("b")) is None


def test_the_skill_counts_more_than_knowing_the_server_a_little() -> None:
    assert best(engineer("owner", proficiency=4), engineer("skilled", "DB")) == "skilled"
    assert best(engineer("owner", proficiency=4)) == "owner"


def test_mastery_of_the_server_decides_among_the_skilled() -> None:
    assert best(engineer("a", "DB", proficiency=2), engineer("b", "DB", proficiency=5)) == "b"


def test_current_load_lowers_the_score() -> None:
    assert best(engineer("busy", "DB", proficiency=5, load=4), engineer("free", "DB")) == "free"


def test_ties_go_to_the_first_id() -> None:
    assert best(engineer("a", "DB"), engineer("b", "DB")) == "a"
    assert best(engineer("b", "DB"), engineer("a", "DB")) == "b"


def test_the_reason_names_the_person_and_every_figure() -> None:
    found = fit.best_engineer([engineer("김철수", "DB", proficiency=3, load=2)], "DB")
    assert found is not None
    assert found.score == 10 + 6 - 6
    for part in ("김철수 대리", "DB 숙련도 중", "처리 중 2건"):
        assert part in found.reason


@settings(deadline=None)
@given(st.booleans(), st.integers(1, 5), st.integers(0, 20), st.integers(0, 5), st.integers(1, 20))
def test_load_never_raises_and_proficiency_never_lowers_the_score(
    skilled: bool, proficiency: int, load: int, better: int, more: int
) -> None:
    skills = ("DB",) if skilled else ()

    def score(proficiency: int, load: int) -> int:
        found = fit.best_engineer(
            [engineer("a", *skills, proficiency=proficiency, load=load)], "DB"
        )
        assert found is not None
        return found.score

    assert score(proficiency, load + more) < score(proficiency, load)
    assert score(proficiency + better, load) >= score(proficiency, load)


AGENTS = [
    Specialist("db-agent", "DB 전문가", ("DB", "BACKUP")),
    Specialist("was-agent", "WAS 전문가", ("WAS", "STORAGE")),
    Specialist("sec-agent", "보안 전문가", ("SECURITY",)),
]


@pytest.mark.parametrize(
    ("category", "kind", "expected"),
    [
        ("DB", None, "db-agent"),
        ("STORAGE", "DB", "was-agent"),  # the category takes precedence over the server's kind
        ("GENERAL", "SECURITY", "sec-agent"),
        ("GENERAL", None, None),
        ("GENERAL", "MAINFRAME", None),
        ("", "", None),
    ],
)
def test_the_specialist_has_the_category_or_failing_that_the_kind(
    category: str, kind: str | None, expected: str | None
) -> None:
    found = fit.best_specialist(AGENTS, category, kind)
    assert (found.agent_id if found else None) == expected


def test_without_agents_there_is_no_specialist() -> None:
    assert fit.best_specialist([], "DB", "DB") is None


def test_of_several_specialists_the_least_busy_is_chosen() -> None:
    twins = [
        Specialist(name, name, ("WAS",), load) for name, load in (("a", 3), ("b", 1), ("c", 1))
    ]
    found = fit.best_specialist(twins, "WAS", None)
    assert found is not None and found.agent_id == "b"
