"""What follows from the states of a run's servers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.lifecycle import State
from guardia.board.remote_console.policy import (
    CHANGES_AT_A_TIME,
    OPEN,
    RunState,
    TargetState,
    changes_to_begin,
    end_of,
    has_failed,
    state_of_change,
)

COUNTS = st.dictionaries(st.sampled_from(TargetState), st.integers(0, 20))


@given(state=st.sampled_from(RunState), counts=COUNTS)
def test_a_run_ends_exactly_when_no_server_is_open(
    state: RunState, counts: dict[TargetState, int]
) -> None:
    is_open = any(counts.get(one, 0) for one in OPEN)
    found = end_of(state, counts)
    works = state in {RunState.RUNNING, RunState.STOPPING}
    assert (found is not None) is (works and not is_open)
    if found is not None:
        assert found is (RunState.DONE if state is RunState.RUNNING else RunState.STOPPED)


@given(counts=COUNTS)
def test_a_change_begins_one_server_alone_and_none_after_a_failure(
    counts: dict[TargetState, int],
) -> None:
    found = changes_to_begin(counts)
    running, waiting = counts.get(TargetState.RUNNING, 0), counts.get(TargetState.WAITING, 0)
    assert 0 <= found <= waiting
    if has_failed(counts):
        assert found == 0
    elif not counts.get(TargetState.OK, 0):
        assert found == min(waiting, max(0, 1 - running))
    else:
        assert found == min(waiting, max(0, CHANGES_AT_A_TIME - running))


def test_each_state_of_a_task_says_how_its_server_ended() -> None:
    def found(state: State, *, undoing: bool = False, changed: bool = False) -> TargetState:
        return state_of_change(state.value, undoing=undoing, changed=changed)

    assert found(State.COMPLETED) is TargetState.OK
    assert found(State.FAILED_ROLLBACK) is found(State.ROLLED_BACK) is TargetState.FAILED
    assert found(State.MANUAL, changed=True) is TargetState.UNKNOWN
    assert found(State.MANUAL) is TargetState.REFUSED
    assert found(State.ABORTED) is TargetState.STOPPED
    assert found(State.IN_PROGRESS) is found(State.APPROVED) is TargetState.RUNNING
    assert found(State.ABORTED, undoing=True) is TargetState.RUNNING
