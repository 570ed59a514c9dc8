"""What is wrong with a command line, in Korean."""

from __future__ import annotations

import pytest
from command_line import invoke

from guardia.cli import usage_errors
from guardia.i18n import language


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("shw", "shw 명령은 없습니다. 비슷한 명령: show"),
        ("qqqq", "qqqq 명령은 없습니다"),
        ("person lst", "lst 명령은 없습니다. 비슷한 명령: list"),
        ("show", "number 값이 필요합니다"),
        ("person add x", "--name 옵션이 필요합니다"),
        ("show --nope", "--nope 옵션은 없습니다"),
        ("list --limt 3", "--limt 옵션은 없습니다. 비슷한 옵션: --limit"),
        ("list --limit", "--limit 옵션에는 값이 필요합니다"),
        ("list --json=3", "--json 옵션에는 값을 쓰지 않습니다"),
        ("list --limit x", "--limit 값이 올바르지 않습니다: 정수를 입력해 주세요"),
        ("runs --limit 0", "--limit 값이 올바르지 않습니다: 1 이상이어야 합니다"),
        ("show 1 2", "필요 없는 값이 더 있습니다: 2"),
    ],
)
@pytest.mark.slow
def test_a_wrong_command_line_is_explained(words: str, expected: str) -> None:
    result = invoke(*words.split())
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert expected in said, said


def test_a_choice_lists_what_there_is() -> None:
    english = "Invalid value for '--format': Input should be 'csv', 'xlsx' or 'json'"
    assert usage_errors.translate(english).endswith("csv, xlsx, json 중에서 선택해 주세요")
    assert usage_errors.translate("무엇이든") == "무엇이든"
    language.set("en")
    try:
        assert "choose one of csv, xlsx, json" in usage_errors.translate(english)
    finally:
        language.set("ko")
