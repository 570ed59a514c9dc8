"""Comparison of an observed plan with what people did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.autonomy.policy import Change, Comparison, HowEnded, compare, share_same

A = Change("S1", "service.restart", '{"service":"a"}')
B = Change("S1", "service.restart", '{"service":"b"}')


@pytest.mark.parametrize(
    ("would", "did", "ended", "expected"),
    [
        ([A], [A], HowEnded.CARRIED_OUT, Comparison.SAME),
        ([A, B], [B, A], HowEnded.BY_HAND, Comparison.SAME),
        ([A], [A, A], HowEnded.BY_HAND, Comparison.DIFFERENT),
        ([A], [B], HowEnded.CARRIED_OUT, Comparison.DIFFERENT),
        ([], [A], HowEnded.CARRIED_OUT, Comparison.DIFFERENT),
        ([A], [], HowEnded.DROPPED, Comparison.NOTHING),
        ([A], [], HowEnded.BY_HAND, Comparison.INCOMPARABLE),
        ([], [], HowEnded.BY_HAND, Comparison.INCOMPARABLE),
        ([], [], HowEnded.DROPPED, Comparison.SAME),
        ([A], [A], HowEnded.OPEN, Comparison.OPEN),
    ],
)
def test_the_comparison(
    would: list[Change], did: list[Change], ended: HowEnded, expected: Comparison
) -> None:
    assert compare(would, did, ended) is expected


@given(st.lists(st.sampled_from(Comparison)))
def test_the_share_counts_only_what_can_be_judged(found: list[Comparison]) -> None:
    share = share_same(found)
    judged = [c for c in found if c not in (Comparison.INCOMPARABLE, Comparison.OPEN)]
    assert (share is None) == (not judged)
    if share is not None:
        assert 0 <= share <= 100
        assert (share == 100) == (set(judged) == {Comparison.SAME})
