"""Tests of the lifecycle of tasks and of the state of their issue."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.lifecycle import (
    ENDED_STATES,
    MOVE_ACTORS,
    OPEN_STATES,
    TRANSITIONS,
    ActorKind,
    Move,
    State,
    issue_state,
    next_state,
)

FINAL = set(State) - OPEN_STATES
moves = st.lists(st.tuples(st.sampled_from(Move), st.sampled_from(ActorKind)), max_size=40)


def walk(steps: list[tuple[Move, ActorKind]]) -> list[State]:
    path = [State.RECEIVED]
    for move, actor in steps:
        following = next_state(path[-1], move, actor)
        if following is not None:
            path.append(following)
    return path


def reachable(start: State) -> set[State]:
    seen, rest = {start}, [start]
    while rest:
        here = rest.pop()
        for (state, _), following in TRANSITIONS.items():
            if state is here and following not in seen:
                seen.add(following)
                rest.append(following)
    return seen


def test_every_state_is_reachable_from_received() -> None:
    assert reachable(State.RECEIVED) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_state_can_end(state: State) -> None:
    assert reachable(state) & FINAL


def test_only_approved_leads_into_progress() -> None:
    into = {
        state for (state, _), following in TRANSITIONS.items() if following is State.IN_PROGRESS
    }
    assert into == {State.APPROVED}


def test_every_move_names_who_may_make_it() -> None:
    assert set(MOVE_ACTORS) == set(Move)
    assert all(MOVE_ACTORS.values())


def test_agents_never_approve_reject_or_abort() -> None:
    for move in (Move.APPROVE, Move.REJECT, Move.ABORT, Move.UNDO, Move.RETURN, Move.REOPEN):
        assert all(next_state(state, move, ActorKind.AGENT) is None for state in State)


def test_only_a_person_completes_manual_work() -> None:
    assert next_state(State.MANUAL, Move.COMPLETE, ActorKind.AGENT) is None
    assert next_state(State.MANUAL, Move.COMPLETE, ActorKind.PERSON) is State.COMPLETED


@given(moves)
def test_work_never_starts_without_an_approval_or_a_waiver(
    steps: list[tuple[Move, ActorKind]],
) -> None:
    path = walk(steps)
    for before, here in pairwise(path):
        if here is State.IN_PROGRESS:
            assert before is State.APPROVED


@given(moves)
def test_what_has_ended_stays_ended_but_for_people_who_undo_reopen_or_take_over(
    steps: list[tuple[Move, ActorKind]],
) -> None:
    path = walk(steps)
    for before, here in pairwise(path):
        if before in FINAL and here is not State.PARSED:
            assert (before, here) in {
                (State.COMPLETED, State.ROLLED_BACK),
                (State.COMPLETED, State.MANUAL),
                (State.FAILED_ROLLBACK, State.MANUAL),
            }


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.RECEIVED], State.RECEIVED),
        ([State.COMPLETED, State.PARSED, State.IN_PROGRESS], State.PARSED),
        ([State.COMPLETED, State.MANUAL], State.MANUAL),
        ([State.COMPLETED, State.FAILED_ROLLBACK], State.FAILED_ROLLBACK),
        ([State.FAILED_ROLLBACK, State.COMPLETED], State.COMPLETED),
    ],
)
def test_an_issue_follows_its_least_advanced_open_task_else_the_last(
    states: list[State], expected: State
) -> None:
    assert issue_state((None, state) for state in states) is expected


@pytest.mark.parametrize("state", State)
def test_every_end_can_be_reopened_by_people_only_and_begins_with_a_diagnosis(
    state: State,
) -> None:
    expected = State.PARSED if state in FINAL else None
    assert next_state(state, Move.REOPEN, ActorKind.PERSON) is expected
    for kind in set(ActorKind) - {ActorKind.PERSON, ActorKind.SYSTEM}:
        assert next_state(state, Move.REOPEN, kind) is None


def test_the_system_ends_what_has_not_begun_and_reopens_only_that() -> None:
    made = {
        (state, move): next_state(state, move, ActorKind.SYSTEM)
        for state in State
        for move in Move
        if next_state(state, move, ActorKind.SYSTEM) is not None
    }
    assert made == {
        (State.RECEIVED, Move.ABORT): State.ABORTED,
        (State.PARSED, Move.ABORT): State.ABORTED,
        (State.MANUAL, Move.ABORT): State.ABORTED,
        (State.ABORTED, Move.REOPEN): State.PARSED,
        (State.PARSED, Move.HAND_OVER): State.MANUAL,
    }


def test_the_ends_that_can_be_reopened_are_all_ends() -> None:
    assert set(ENDED_STATES) == FINAL


@given(moves, moves)
@pytest.mark.slow
def test_reopened_work_needs_a_new_approval_before_it_starts(
    steps: list[tuple[Move, ActorKind]], more: list[tuple[Move, ActorKind]]
) -> None:
    path = walk([*steps, (Move.REOPEN, ActorKind.PERSON), *more])
    for number, (before, here) in enumerate(pairwise(path)):
        if here is State.IN_PROGRESS:
            since = [n for n, state in enumerate(path[: number + 1]) if state is State.PARSED]
            granted = [n for n, state in enumerate(path[: number + 1]) if state is State.APPROVED]
            assert before is State.APPROVED and granted[-1] > max(since, default=-1)


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([("A", State.REJECTED), ("B", State.COMPLETED)], State.REJECTED),
        ([("A", State.COMPLETED), ("B", State.FAILED_ROLLBACK)], State.FAILED_ROLLBACK),
        ([("B", State.FAILED_ROLLBACK), ("A", State.COMPLETED)], State.FAILED_ROLLBACK),
        ([("A", State.FAILED_ROLLBACK), ("A", State.COMPLETED)], State.COMPLETED),
        ([("A", State.COMPLETED), ("B", State.COMPLETED)], State.COMPLETED),
        ([("A", State.REJECTED), ("B", State.MANUAL)], State.MANUAL),
    ],
)
def test_an_issue_is_not_done_while_one_of_its_servers_was_left_as_it_was(
    tasks: list[tuple[str, State]], expected: State
) -> None:
    assert issue_state(tasks) is expected
