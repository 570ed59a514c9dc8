"""Small talk opens no issue, and no request is small talk."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.assignment.small_talk import SmallTalk, is_small_talk, kind_of

CASES = yaml.safe_load(
    Path(__file__).with_name("cases").joinpath("small_talk.yaml").read_text("utf-8")
)
TALK = [line for lines in CASES["small_talk"].values() for line in lines]
REQUESTS = CASES["requests"]


@pytest.mark.parametrize(
    ("kind", "line"), [(k, line) for k, lines in CASES["small_talk"].items() for line in lines]
)
def test_polite_phrases_are_small_talk(kind: str, line: str) -> None:
    assert kind_of(line) == SmallTalk(kind), line


@pytest.mark.parametrize("line", REQUESTS)
def test_a_request_is_never_small_talk(line: str) -> None:
    assert kind_of(line) is None


@given(st.sampled_from(TALK), st.sampled_from(REQUESTS), st.sampled_from([" ", ", ", "\n", ". "]))
def test_a_polite_request_stays_a_request(talk: str, request: str, gap: str) -> None:
    assert not is_small_talk(f"{talk}{gap}{request}")
    assert not is_small_talk(f"{request}{gap}{talk}")


@given(st.lists(st.sampled_from(TALK), min_size=1, max_size=2))
def test_several_phrases_are_still_small_talk(lines: list[str]) -> None:
    joined = " ".join(lines)
    assert is_small_talk(joined) == (len(joined) <= 60)


@given(st.text(max_size=80))
@pytest.mark.slow
def test_any_text_is_read_without_an_error(text: str) -> None:
    kind_of(text)
