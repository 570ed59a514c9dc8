"""Names of servers as people write them."""

from __future__ import annotations

import pytest
from triage_directory import read_directory

from guardia.agents.brain.triage.servers import find_mentions

NAMES = read_directory()


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("MOF-WAS-01 이상", ["MOF-WAS-01"]),
        ("mof-was-1에서 오류", ["MOF-WAS-01"]),
        ("MOF WAS 01", ["MOF-WAS-01"]),
        ("mofwas01이 죽음", ["MOF-WAS-01"]),
        ("기재부 와스 1호기", ["MOF-WAS-01"]),
        ("기재부와스1호기", ["MOF-WAS-01"]),
        ("기재부 WAS #1", ["MOF-WAS-01"]),
        ("기재부 was#1이", ["MOF-WAS-01"]),
        ("기획재정부 와스 2호기", ["MOF-WAS-02"]),
        ("기재부 왓스 2번", ["MOF-WAS-02"]),
        ("기재부 운영 디비", ["MOF-DB-01"]),
        ("기재부 데이터베이스", ["MOF-DB-01"]),
        ("교육부 DB 서버", ["MOE-DB-01"]),
        ("교육부 홈페이지가 느려요", ["MOE-WEB-01"]),
        ("교육부웹서버", ["MOE-WEB-01"]),
        ("행정안전부 와스", ["MOIS-WAS-01"]),
        ("행안부 방화벽서버", ["MOIS-SEC-01"]),
        ("기재부 와스 1호기, 기재부 와스 2호기", ["MOF-WAS-01", "MOF-WAS-02"]),
        ("기재부 와스 1, 2호기", ["MOF-WAS-01", "MOF-WAS-02"]),
        ("기재부 와스 2호기와 1호기", ["MOF-WAS-02", "MOF-WAS-01"]),
        ("기재부 와스 두 대(1호기, 2호기)", ["MOF-WAS-01", "MOF-WAS-02"]),
        ("MOF-WAS-01/02", ["MOF-WAS-01", "MOF-WAS-02"]),
        ("기재부 와스 2호기는 두고 1호기만", ["MOF-WAS-02", "MOF-WAS-01"]),
        ("MOF-DB-01, 기재부 디비", ["MOF-DB-01"]),
    ],
)
def test_named(text: str, expect: list[str]) -> None:
    found = find_mentions(text, NAMES)
    assert list(dict.fromkeys(m.server_id for m in found)) == expect


@pytest.mark.parametrize(
    "text",
    [
        "기재부 와스",  # one of two: not specified which
        "와스 1호기",  # institution not specified
        "웹서버 로그",
        "기재부 와스 3호기",
        "MOF-WAS-011",
        "XMOF-WAS-01",
        "행안부 방화벽 정책 추가",
        "교육부 담당자입니다",
        "1호기만 재기동",
    ],
)
def test_not_named(text: str) -> None:
    assert find_mentions(text, NAMES) == []


def test_a_time_after_a_server_is_not_a_sibling() -> None:
    found = find_mentions("기재부 와스 1호기, 2시에 재기동", NAMES)
    assert [m.server_id for m in found] == ["MOF-WAS-01"]


def test_positions_are_of_the_text() -> None:
    text = "어제 기재부 와스 1호기에서"
    mention = find_mentions(text, NAMES)[0]
    assert text[mention.start : mention.end] == "기재부 와스 1호기"
