"""Rules of a rollout: order, one batch at a time, the first failure, exactly what was touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.lifecycle import State
from guardia.board.rollouts import policy
from guardia.board.rollouts.policy import (
    ENDS,
    MOVES,
    Options,
    RolloutState,
    ServerProgress,
    ServerState,
    next_step,
)

RUNNING = RolloutState.RUNNING


def servers(*states: ServerState) -> list[ServerProgress]:
    return [ServerProgress(f"S{n}", n, state) for n, state in enumerate(states, start=1)]


def test_batches_follow_the_tiers_and_never_mix_them() -> None:
    given = [("d1", "DB"), ("w2", "WEB"), ("a1", "WAS"), ("w1", "WEB"), ("w3", "WEB"), ("x", "MQ")]
    order = policy.assign_batches(given, Options(batch=2))
    assert order == (
        ("w1", "WEB", 1), ("w2", "WEB", 2), ("w3", "WEB", 2),
        ("a1", "WAS", 3), ("d1", "DB", 4), ("x", "MQ", 5),
    )  # fmt: skip
    plain = policy.assign_batches(given, Options(batch=2, canary=False, tiers=("DB", "WEB")))
    assert [(s, b) for s, _, b in plain] == [
        ("d1", 1), ("w1", 2), ("w2", 2), ("w3", 3), ("x", 4), ("a1", 5)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "undoing", "changed", "expected"),
    [
        (None, False, False, ServerState.WAITING),
        (State.APPROVED, False, False, ServerState.RUNNING),
        (State.IN_PROGRESS, False, True, ServerState.RUNNING),
        (State.COMPLETED, False, True, ServerState.DONE),
        (State.COMPLETED, True, True, ServerState.UNDOING),
        (State.FAILED_ROLLBACK, False, True, ServerState.RESTORED),
        (State.ROLLED_BACK, False, True, ServerState.RESTORED),
        (State.MANUAL, False, True, ServerState.BROKEN),
        (State.MANUAL, False, False, ServerState.RESTORED),
        (State.ABORTED, False, False, ServerState.RESTORED),
    ],
)
def test_the_state_of_a_server_follows_from_its_task(
    status: State | None, undoing: bool, changed: bool, expected: ServerState
) -> None:
    assert policy.server_state(status, undoing=undoing, changed=changed) is expected


def test_what_runs_ends_before_a_failure_counts() -> None:
    both = [
        ServerProgress("a", 1, ServerState.RESTORED),
        ServerProgress("b", 1, ServerState.RUNNING),
        ServerProgress("c", 2, ServerState.WAITING),
    ]
    assert next_step(RUNNING, both, Options()) == policy.Step()
    ended = [both[0], replace(both[1], state=ServerState.DONE), both[2]]
    assert next_step(RUNNING, ended, Options()).to is RolloutState.ROLLING_BACK
    assert next_step(RUNNING, ended, Options(on_failure="pause")).to is RolloutState.PAUSED
    assert next_step(RolloutState.ROLLING_BACK, ended, Options()).undo == ("b",)


def test_the_kill_switch_and_an_interruption() -> None:
    seen = servers(ServerState.DONE, ServerState.WAITING)
    assert next_step(RUNNING, seen, Options(), stopped=True).to is RolloutState.PAUSED
    assert next_step(RUNNING, seen, Options(), interrupted=True).begin == ("S2",)
    back = Options(on_interruption="rollback")
    assert next_step(RUNNING, seen, back, interrupted=True).to is RolloutState.ROLLING_BACK
    undoing = next_step(RolloutState.ROLLING_BACK, seen, back, stopped=True)
    assert undoing.undo == ("S1",)  # the switch stops changes, never a rollback


def test_a_canary_waits_for_a_look() -> None:
    seen = servers(ServerState.DONE, ServerState.WAITING)
    options = Options(pause_after_canary=True)
    assert next_step(RUNNING, seen, options).to is RolloutState.PAUSED
    assert next_step(RUNNING, seen, options, looked=True).begin == ("S2",)


OUTCOMES = st.sampled_from([ServerState.DONE, ServerState.RESTORED, ServerState.BROKEN])


@given(
    count=st.integers(1, 9),
    options=st.builds(
        Options,
        batch=st.integers(1, 3),
        canary=st.booleans(),
        on_failure=st.sampled_from(["rollback", "pause"]),
        on_interruption=st.sampled_from(["continue", "rollback"]),
    ),
    data=st.data(),
)
def test_any_run_ends_and_leaves_only_what_its_rules_say(
    count: int, options: Options, data: st.DataObject
) -> None:
    order = policy.assign_batches([(f"s{n}", "WAS") for n in range(count)], options)
    states = {server: ServerState.WAITING for server, _, _ in order}
    touched: set[str] = set()
    restored: set[str] = set()
    state, interrupted_once = RUNNING, False
    for _ in range(200):
        if state is not RUNNING and state is not RolloutState.ROLLING_BACK:
            break
        seen = [ServerProgress(server, batch, states[server]) for server, _, batch in order]
        interrupted = data.draw(st.booleans())
        interrupted_once |= interrupted
        step = next_step(state, seen, options, interrupted=interrupted)
        if step.begin:
            begun = {s.batch for s in seen if s.server in step.begin}
            assert len(begun) == 1
            earlier = [s.state for s in seen if s.batch < min(begun)]
            assert all(found is ServerState.DONE for found in earlier)
            assert not any(s.state in {ServerState.RESTORED, ServerState.BROKEN} for s in seen)
            touched |= set(step.begin)
            states |= dict.fromkeys(step.begin, ServerState.RUNNING)
        elif step.undo:
            assert set(step.undo) <= touched
            restored |= set(step.undo)
            states |= dict.fromkeys(step.undo, ServerState.UNDOING)
        elif step.to is not None:
            assert step.to in MOVES[state]
            state = step.to
        else:
            busy = [s for s, f in states.items() if f in {ServerState.RUNNING, ServerState.UNDOING}]
            assert busy, "it would wait for ever"
            one = data.draw(st.sampled_from(busy))
            undone = states[one] is ServerState.UNDOING
            states[one] = ServerState.RESTORED if undone else data.draw(OUTCOMES)
    assert state in ENDS | {RolloutState.PAUSED}
    if state is RolloutState.DONE:
        assert set(states.values()) == {ServerState.DONE}
    if state in {RolloutState.ROLLED_BACK, RolloutState.FAILED}:
        assert ServerState.DONE not in states.values()
        untouched = {s for s, found in states.items() if found is ServerState.WAITING}
        assert untouched == set(states) - touched
    if state is RolloutState.PAUSED:
        assert options.on_failure == "pause"
        assert not restored
