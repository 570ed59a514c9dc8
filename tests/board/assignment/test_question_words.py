"""Answers to the question which server is meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.assignment.question_words import ServerChoice, read_answer

ONE = ServerChoice("MOF-WAS-01", "기재부 와스 1호기")
TWO = ServerChoice("MOF-WAS-02", "기재부 와스 2호기")
ELEVEN = ServerChoice("MOF-WAS-11", "기재부 와스 11호기")
BOTH = (ONE.server, TWO.server)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("1호기", (ONE.server,)),
        ("1호기요", (ONE.server,)),
        ("2", (TWO.server,)),
        ("2번이요", (TWO.server,)),
        ("MOF-WAS-02", (TWO.server,)),
        ("mof_was_02 입니다", (TWO.server,)),
        ("기재부 와스 1호기 입니다", (ONE.server,)),
        ("기재부와스1호기", (ONE.server,)),
        ("첫번째 거요", (ONE.server,)),
        ("두 번째요", (TWO.server,)),
        ("１호기", (ONE.server,)),
        ("둘 다요", BOTH),
        ("둘다", BOTH),
        ("전부요", BOTH),
        ("두 대 모두", BOTH),
        ("1,2호기", BOTH),
        ("1호기랑 2호기요", BOTH),
        ("3호기", ()),
        ("와스요", ()),
        ("빨리 좀 봐주세요", ()),
        ("1호기 말고 2호기", ()),
        ("2호기는 아니에요", ()),
        ("오후 2시부터 그랬는데 어느 서버인지 확인해 주세요", ()),
        ("11호기", ()),
        ("", ()),
        ("다시 보내 주세요", ()),
    ],
)
def test_an_answer_names_choices_by_name_number_or_position(
    text: str, servers: tuple[str, ...]
) -> None:
    assert read_answer(text, (ONE, TWO)).servers == servers


@pytest.mark.parametrize("text", ["모르겠어요", "잘 모르겠습니다", "몰라요", "글쎄요"])
def test_not_to_know_is_an_answer(text: str) -> None:
    assert read_answer(text, (ONE, TWO)).unknown


def test_a_longer_name_wins_over_its_part() -> None:
    assert read_answer("기재부 와스 11호기", (ONE, TWO, ELEVEN)).servers == (ELEVEN.server,)
    assert read_answer("11", (ONE, TWO, ELEVEN)).servers == (ELEVEN.server,)


@given(st.text(max_size=60), st.lists(st.sampled_from([ONE, TWO, ELEVEN]), max_size=3, unique=True))
def test_any_text_names_only_choices(text: str, choices: list[ServerChoice]) -> None:
    found = read_answer(text, choices)
    assert set(found.servers) <= {choice.server for choice in choices}
    assert not (found.servers and found.unknown)
