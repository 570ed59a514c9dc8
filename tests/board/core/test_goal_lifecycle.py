from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.goal_lifecycle import (
    MAY,
    OPEN_GOALS,
    SHOWN_AS,
    TABLE,
    GoalMove,
    GoalState,
    Progress,
    after,
    progress,
    reached,
)
from guardia.board.core.lifecycle import OPEN, Actor, State

ENDED = set(GoalState) - OPEN_GOALS
moves = st.lists(st.tuples(st.sampled_from(GoalMove), st.sampled_from(Actor)), max_size=40)
counts = st.dictionaries(st.sampled_from(State), st.integers(1, 50))


@given(moves)
def test_no_walk_leaves_an_end_or_starts_work_that_no_person_approved(
    steps: list[tuple[GoalMove, Actor]],
) -> None:
    path, approved = [GoalState.GIVEN], False
    for step, actor in steps:
        following = after(path[-1], step, actor)
        if following is None:
            continue
        assert path[-1] in OPEN_GOALS
        approved |= (step, actor) == (GoalMove.APPROVE, Actor.PERSON)
        path.append(following)
        assert approved or following not in (GoalState.ACTIVE, GoalState.ACHIEVED)
    assert all((a, b) in {(s, t) for (s, _), t in TABLE.items()} for a, b in pairwise(path))


@pytest.mark.parametrize("state", GoalState)
def test_every_state_is_reached_and_an_open_one_can_be_dropped(state: GoalState) -> None:
    assert state is GoalState.GIVEN or state in TABLE.values()
    dropped = after(state, GoalMove.DROP, Actor.PERSON)
    assert dropped is (GoalState.DROPPED if state in OPEN_GOALS else None)


def test_agents_neither_approve_answer_nor_drop() -> None:
    people = {m for m, who in MAY.items() if who == {Actor.PERSON}}
    assert people == {GoalMove.APPROVE, GoalMove.ANSWER, GoalMove.DROP}


def test_a_goal_is_shown_as_open_exactly_while_it_is() -> None:
    assert {s for s in GoalState if SHOWN_AS[s] in OPEN} == OPEN_GOALS


@given(counts)
def test_progress_counts_each_issue_once(states: dict[State, int]) -> None:
    found = progress(states)
    assert found.total == sum(states.values())
    assert found.open == sum(n for s, n in states.items() if s in OPEN)
    assert reached(found) == (set(states) == {State.COMPLETED})
    assert (found.percent == 100) == reached(found)


def test_a_goal_without_issues_is_not_reached() -> None:
    assert not reached(Progress()) and Progress().percent == 0
