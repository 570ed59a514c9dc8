from __future__ import annotations

import pytest

from guardia.board.intake.link_code_parser import parse_link_code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("연결 ABCD-2345", "ABCD-2345"),
        ("  link abcd2345 ", "ABCD2345"),
        ("연결 \uff21\uff22\uff23\uff24\uff0d\uff12\uff13\uff14\uff15", "ABCD-2345"),
        ("DB 연결 ABCD-2345", None),
        ("연결 ABCD-2345 해 주세요", None),
        ("'연결 ABCD-2345'", None),
        ("연결 ABCD-234", None),
        ("연결이 끊깁니다", None),
        ("연결 ABCD-2345" + " " * 80, None),
    ],
)
def test_only_a_line_with_nothing_else_is_a_code(line: str, code: str | None) -> None:
    assert parse_link_code(line) == code
