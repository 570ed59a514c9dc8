"""One server behind load balancers of other servers: each stage in its turn, undone in reverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.rollouts.policy import ServerState
from guardia.board.rollouts.stages import Turn, combined, next_turn

W, R, D, U = (ServerState(name) for name in ("WAITING", "RUNNING", "DONE", "UNDOING"))
F, B = ServerState.RESTORED, ServerState.BROKEN


@pytest.mark.parametrize(
    ("states", "whole", "turn"),
    [
        ("WW W WW", W, Turn()),
        ("RW W WW", R, Turn()),
        ("DR W WW", R, Turn()),
        ("DD W WW", R, Turn(begin=((1, 0),))),
        ("DD D WW", R, Turn(begin=((2, 0), (2, 1)))),
        ("DD D DD", D, Turn()),
        ("DF W WW", U, Turn(undo=((0, 0),))),
        ("FF W WW", F, Turn()),
        ("DD F WW", U, Turn(undo=((0, 0), (0, 1)))),
        ("DU F WW", U, Turn()),
        ("DD D DF", U, Turn(undo=((2, 0),))),
        ("DD D FF", U, Turn(undo=((1, 0),))),
        ("DD B WW", B, Turn()),
        ("DF B WW", B, Turn()),
    ],
)
def test_each_stage_has_its_turn(states: str, whole: ServerState, turn: Turn) -> None:
    stages = parsed(states)
    assert combined(stages) is whole
    assert next_turn(stages, back=False) == turn


def test_a_rollback_undoes_the_last_stage_first_and_the_switch_begins_nothing() -> None:
    assert next_turn(parsed("DD D DD"), back=True).undo == ((2, 0), (2, 1))
    assert next_turn(parsed("DD D WW"), back=True).undo == ((1, 0),)
    assert next_turn(parsed("DD D WW"), back=False, stopped=True) == Turn()
    assert next_turn(parsed("DD F WW"), back=False, stopped=True).undo == ((0, 0), (0, 1))


def parsed(states: str) -> list[list[ServerState]]:
    words = {"W": W, "R": R, "D": D, "U": U, "F": F, "B": B}
    return [[words[letter] for letter in stage] for stage in states.split()]


@given(data=st.data(), fronts=st.integers(1, 3), back=st.booleans())
def test_a_server_ends_changed_or_as_it_was(data: st.DataObject, fronts: int, back: bool) -> None:
    """However its steps end, the traffic is back or people look at a broken step."""
    stages = [[W] * fronts, [W], [W] * fronts]
    stages[0] = [R] * fronts
    for _ in range(100):
        busy = [(n, k) for n, s in enumerate(stages) for k, x in enumerate(s) if x in (R, U)]
        if busy:
            stage, step = data.draw(st.sampled_from(busy))
            ends = [F] if stages[stage][step] is U else data.draw(st.sampled_from([[D], [F], [B]]))
            stages[stage][step] = ends[0]
            continue
        turn = next_turn(stages, back=back)
        for stage, step in turn.begin:
            assert all(x is D for earlier in stages[:stage] for x in earlier)
            stages[stage][step] = R
        for stage, step in turn.undo:
            assert not any(x is D for later in stages[stage + 1 :] for x in later)
            stages[stage][step] = U
        if turn == Turn():
            break
    whole = combined(stages)
    assert whole in {D, F, B}
    if whole is F:
        assert all(x is not D for stage in stages for x in stage)
    if whole is D:
        assert not back
