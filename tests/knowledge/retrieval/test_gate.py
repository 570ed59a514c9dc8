"""The gate refuses what nothing fits, with meaning and with words alone."""

from __future__ import annotations

import pytest

from guardia.knowledge.retrieval import gate
from guardia.knowledge.retrieval.gate import Signals

CLEAR = Signals(nearness=0.3, coverage=0.9, unknown=0.0, terms=1.0)
STRANGE = Signals(nearness=-0.3, coverage=0.1, unknown=0.7, terms=0.0)


def test_what_fits_is_answered_and_what_does_not_is_refused() -> None:
    assert gate.fits(CLEAR) and not gate.fits(STRANGE)
    assert 0 < gate.confidence(STRANGE) < gate.confidence(CLEAR) < 1


@pytest.mark.parametrize(("signals", "fits"), [(CLEAR, True), (STRANGE, False)])
def test_words_alone_decide_without_an_encoder(signals: Signals, fits: bool) -> None:
    words = Signals(None, signals.coverage, signals.unknown, signals.terms)
    assert gate.fits(words) is fits


def test_more_shared_words_never_make_it_less_sure() -> None:
    sure = [gate.confidence(Signals(0.0, step / 10, 0.2, 0.5)) for step in range(11)]
    assert sure == sorted(sure)
