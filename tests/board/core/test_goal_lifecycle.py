"""Tests of the lifecycle of goals and of their progress."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.goal_lifecycle import (
    GOAL_MOVE_ACTORS,
    GOAL_TRANSITIONS,
    ISSUE_STATE_OF,
    OPEN_GOAL_STATES,
    GoalMove,
    GoalProgress,
    GoalState,
    count_progress,
    is_reached,
    next_goal_state,
)
from guardia.board.core.lifecycle import OPEN_STATES, ActorKind, State

ENDED = set(GoalState) - OPEN_GOAL_STATES
moves = st.lists(st.tuples(st.sampled_from(GoalMove), st.sampled_from(ActorKind)), max_size=40)
counts = st.dictionaries(st.sampled_from(State), st.integers(1, 50))


@given(moves)
def test_no_walk_leaves_an_end_or_starts_work_that_no_person_approved(
    steps: list[tuple[GoalMove, ActorKind]],
) -> None:
    path, approved = [GoalState.GIVEN], False
    for step, actor in steps:
        following = next_goal_state(path[-1], step, actor)
        if following is None:
            continue
        assert path[-1] in OPEN_GOAL_STATES
        approved |= (step, actor) == (GoalMove.APPROVE, ActorKind.PERSON)
        path.append(following)
        assert approved or following not in (GoalState.ACTIVE, GoalState.ACHIEVED)
    assert all(
        (a, b) in {(s, t) for (s, _), t in GOAL_TRANSITIONS.items()} for a, b in pairwise(path)
    )


@pytest.mark.parametrize("state", GoalState)
def test_every_state_is_reached_and_an_open_one_can_be_dropped(state: GoalState) -> None:
    assert state is GoalState.GIVEN or state in GOAL_TRANSITIONS.values()
    dropped = next_goal_state(state, GoalMove.DROP, ActorKind.PERSON)
    assert dropped is (GoalState.DROPPED if state in OPEN_GOAL_STATES else None)


def test_agents_neither_approve_answer_nor_drop() -> None:
    people = {m for m, who in GOAL_MOVE_ACTORS.items() if who == {ActorKind.PERSON}}
    assert people == {GoalMove.APPROVE, GoalMove.ANSWER, GoalMove.DROP}


def test_a_goal_is_shown_as_open_exactly_while_it_is() -> None:
    assert {s for s in GoalState if ISSUE_STATE_OF[s] in OPEN_STATES} == OPEN_GOAL_STATES


@pytest.mark.slow
@given(counts)
def test_progress_counts_each_issue_once(states: dict[State, int]) -> None:
    found = count_progress(states)
    assert found.total == sum(states.values())
    assert found.open == sum(n for s, n in states.items() if s in OPEN_STATES)
    assert is_reached(found) == (set(states) == {State.COMPLETED})
    assert (found.percent == 100) == is_reached(found)


def test_a_goal_without_issues_is_not_reached() -> None:
    assert not is_reached(GoalProgress()) and GoalProgress().percent == 0
