from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.intake.button_token import ButtonToken, create, verify

END = datetime(2026, 11, 25, tzinfo=UTC)
GOOD = create("열쇠", "mattermost", "offer", "12", END)


@given(
    token=st.text(min_size=1, max_size=40),
    value=st.text(st.characters(codec="utf-8"), max_size=225),
    end=st.integers(1, 10**10),
)
def test_a_created_token_is_verified(token: str, value: str, end: int) -> None:
    until = datetime.fromtimestamp(end, UTC)
    said = create(token, "mattermost", "offer", value, until)
    assert verify(("other", token), "mattermost", said) == ButtonToken("offer", value, until)
    assert verify(("other",), "mattermost", said) is None
    assert verify((), "mattermost", said) is None
    assert verify((token,), "slack", said) is None


@given(at=st.integers(0, len(GOOD) - 1), sign=st.characters(codec="utf-8"))
def test_a_change_of_any_character_voids_it(at: int, sign: str) -> None:
    changed = GOOD[:at] + sign + GOOD[at + 1 :]
    assert changed == GOOD or verify(("열쇠",), "mattermost", changed) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + "0",
        GOOD[:-1],
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace("v2", "v1"),
        GOOD.upper(),
        "v2....",
    ],
)
def test_other_texts_are_not_tokens(text: str) -> None:
    assert verify(("열쇠",), "mattermost", text) is None
