from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardia.board.core.choices import Choice, ChoiceStyle, from_stored, to_stored


def test_choices_survive_their_column() -> None:
    given = (
        Choice("server", "7:WAS-1", "기재부 와스 1호기"),
        Choice("stop", "", "중단", ChoiceStyle.DANGER),
    )
    assert from_stored(to_stored(given)) == given


def test_a_damaged_column_is_no_choice() -> None:
    with pytest.raises(ValidationError):
        from_stored([{"act": "server"}])
