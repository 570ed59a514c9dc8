"""Opinions of the learned weights."""

from __future__ import annotations

import pytest

from guardia.agents.brain.triage.weights import BIAS, FieldWeights, learned

FIELD = FieldWeights(("A", "B"), {BIAS: (0, 0), "x": (64, -64), "y": (-32, 32)})


def test_the_heavier_evidence_decides_and_is_shown() -> None:
    found = FIELD.opinion({"x": "엑스", "y": "와이", "unknown": "?"})
    assert (found.value, found.words) == ("A", ("엑스",))
    assert found.share == pytest.approx(0.8808, abs=1e-3)


def test_without_evidence_the_values_are_equally_likely() -> None:
    assert FIELD.opinion({}).share == 0.5


def test_every_field_has_a_weight_for_each_of_its_values() -> None:
    for field in learned().values():
        assert all(len(weights) == len(field.values) for weights in field.weights.values())
