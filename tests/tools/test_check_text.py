"""Text of a failed check: the value that was found and the expected one."""

from __future__ import annotations

from typing import Any

import pytest

from guardia.tools.check_text import describe_failure

HEALTH = {"port_open": True, "answered": True, "status": 500, "milliseconds": 12}


@pytest.mark.parametrize(
    ("expect", "found", "words"),
    [
        ("answered && status == `200`", HEALTH, "응답 코드 500(기대값 200)"),
        ("answered", {"answered": False}, "응답 아니요(기대값 예)"),
        ("percent < `80`", {"percent": 93}, "사용률(%) 93(기대값 < 80)"),
        ("!present", {"present": True}, "존재 예(기대값 아니요)"),
        ('version == `"3.1.0"`', {"version": "3.1.1"}, "버전 3.1.1(기대값 3.1.0)"),
        ("waiting == `0`", {"waiting": None}, "대기 세션 -(기대값 0)"),
    ],
)
def test_only_failed_terms_are_named(expect: str, found: dict[str, Any], words: str) -> None:
    assert describe_failure(expect, found) == words


@pytest.mark.parametrize("expect", ["length(files) > `0`", "a || b", "missing == `1`", "answered"])
def test_anything_but_a_conjunction_is_left_to_the_expression(expect: str) -> None:
    assert describe_failure(expect, {"a": 1, "b": 2, "answered": True}) is None
