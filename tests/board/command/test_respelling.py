from __future__ import annotations

import re

import pytest

from guardia.board.command.compact import Compact, Mark
from guardia.board.command.respelling import respell


def respelled(line: str) -> str:
    compact = Compact.of(line)
    respell(compact)
    return compact.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("재기동 함 해 주이소", "재기동한번해주세요"),
        ("롤백 해뿌라", "롤백해라"),
        ("우예 됐노?", "어떻게됐나요?"),
        ("해주세용", "해주세요"),
        ("롤벡 해줘", "롤백해줘"),
        ("slow query", "slow쿼리"),
        ("IP 주소 변경", "ip주소변경"),
        ("문제 개선", "문제개선"),
        ("서비스 재개", "서비스재개"),
    ],
)
def test_a_line_is_written_as_the_grammar_knows_it(line: str, text: str) -> None:
    assert respelled(line) == text


def test_marks_and_places_are_kept() -> None:
    compact = Compact.of("머 있노 #12 해 주이소")
    compact.replace(re.compile(r"#12"), lambda match: Mark("N", 12, *match.span()))
    respell(compact)
    assert compact.text == "뭐있나요N해주세요"
    assert [mark.value for mark in compact.all("N")] == [12]
    assert compact.original_from(compact.text.index("N")) == "#12 해 주이소"
