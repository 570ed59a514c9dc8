from __future__ import annotations

from pathlib import Path

import pytest

from guardia.board.intake.stop_word import is_stop_command

FILE = Path(__file__).parent / "cases" / "stopword.txt"


def _cases() -> list[tuple[str, bool]]:
    lines = [line for line in FILE.read_text("utf-8").splitlines() if line[:1] in ("+", "-")]
    return [
        (line[2:].encode("latin-1", "backslashreplace").decode("unicode_escape"), line[0] == "+")
        for line in lines
    ]


CASES = _cases()


@pytest.mark.parametrize(("text", "stops"), CASES, ids=[repr(text) for text, _ in CASES])
def test_only_the_bare_command_stops(text: str, stops: bool) -> None:
    assert is_stop_command(text) is stops


def test_there_are_cases_of_both_kinds() -> None:
    assert sum(stops for _, stops in CASES) >= 12
    assert sum(not stops for _, stops in CASES) >= 30


def test_a_long_line_is_never_the_command() -> None:
    assert not is_stop_command("정지" + "!" * 10_000)
