"""Index over names: it finds what one pattern per name would find, at a cost of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import naive_servers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triage_directory import large_directory, read_directory
from waiting import hang_guard

from guardia.agents.brain.goals.breakdown import divide
from guardia.agents.brain.goals.deadline import deadlines
from guardia.agents.brain.goals.scope import goal_scope
from guardia.agents.brain.triage.classify import triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.names import index_of
from guardia.agents.brain.triage.servers import find_mentions
from guardia.org.directory import Directory, Host, InstitutionInfo

OWNERS = (
    InstitutionInfo(id="MOF", name="기획재정부", aliases=("기재부",)),
    InstitutionInfo(id="MOE", name="교육부"),
    InstitutionInfo(id="A1", name="와스마을", aliases=("소와", "웹진흥원")),
    InstitutionInfo(id="DBX", name="디비센터", aliases=("데이터베이스원", "db센터")),
)
RESTS = ("", " 와스", " 예산 시스템", "웹서버", "dbms 2", "3호", " 10-2")
PARTS = (
    "기재부",
    "기획재정부",
    "교육부",
    "와스마을",
    "소와",
    "웹진흥원",
    "웹",
    "와스",
    "왓스",
    "WAS",
    "디비",
    "데이터베이스",
    "데이터 베이스",
    "db",
    "dbms",
    "예산",
    "시스템",
    "서버",
    "web",
    "1",
    "01",
    "2",
    "10",
    "003",
    "001",
    "호기",
    "호",
    "번기",
    "번",
    " ",
    "  ",
    "-",
    "#",
    "_",
    ",",
    "/",
    "와",
    "스",
    "하고",
    "MOF",
    "moe",
    "A1",
    "DBX",
    "ZZ",
    "NET",
    "x",
    "디비센터",
    "센터",
    "운영디비",
    "보안서버",
    "0",
    "00",
    "\n",
)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Directories whose names overlap, contain each other, or belong to two servers."""
    found: dict[str, Host] = {}
    for owner, kind, number, alias, rest in draw(
        st.lists(
            st.tuples(
                st.sampled_from([*(o.id for o in OWNERS), "ZZ"]),
                st.sampled_from(["WAS", "DB", "WEB", "SECURITY", "NET"]),
                st.sampled_from(["01", "2", "10", "003", "", "1-2"]),
                st.sampled_from(["기재부", "와스마을", "db센터", "교육부", "예산", ""]),
                st.sampled_from(RESTS),
            ),
            max_size=10,
        )
    ):
        name = f"{owner}-{kind}-{number}"
        aliases = (alias + rest,) if (alias + rest).strip() else ()
        found[name] = Host(server_id=name, institution=owner, kind=kind, aliases=aliases)
    return Directory(institutions=OWNERS, servers=tuple(found.values()))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(directories(), st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_the_index_finds_what_a_pattern_for_each_name_finds(names: Directory, text: str) -> None:
    expected = naive_servers.find_mentions(text, names, lexicon().servers)
    assert [tuple(m) for m in find_mentions(text, names)] == [tuple(m) for m in expected]


@pytest.mark.slow
def test_work_does_not_grow_with_the_directory() -> None:
    text = "MOF-WAS-01 조회가 느립니다. 기재부 와스 2호기와 교육부 디비도 확인 부탁드립니다."

    def calls(names: Directory) -> int:
        count = 0

        def called(*_: Any) -> None:
            nonlocal count
            count += 1

        index_of(names)
        triage(text, names)
        sys.setprofile(called)
        try:
            found = triage(text, names)
        finally:
            sys.setprofile(None)
        assert found.servers == ("MOF-WAS-01", "MOF-WAS-02", "MOE-DB-01")
        return count

    assert calls(large_directory(1000)) < 1.1 * calls(read_directory())


def test_an_index_is_kept_as_long_as_its_directory() -> None:
    names = large_directory(20)
    assert index_of(names) is index_of(names)
    assert index_of(large_directory(20)) is not index_of(names)


@pytest.mark.parametrize(
    "name",
    [
        "\uff2d\uff2f\uff25\uff0d\uff24\uff22\uff0d\uff10\uff11",
        "MOE\u2011DB\u201101",
        "MOE\u200b-DB\u200b-01",
        "MOE–DB–01",
        "MOE\u00ad-DB-\ufe0f01",
        "MOE\u2212DB\u221201",
        "MOEㅡDBㅡ01",
        "M\u202eOE-DB-01",
        "moe\u3000db\u30001",
        "M\U000e0041OE-D\u034fB-\u31640\u115f1",
        "교\u200b육부 디\u2060비",
        "\u1100\u116d\u110b\u1172\u11a8\u1107\u116e DB",
        "교육부 ㄷㅣ비".replace("ㄷㅣ", "디"),
    ],
)
def test_a_name_is_found_however_it_is_encoded(name: str) -> None:
    found = triage(f"{name} 조회가 느립니다", read_directory())
    assert found.servers == ("MOE-DB-01",)


UNITS = (
    "\n",
    "\r\n",
    "\u2028",
    "\t",
    " ",
    "서버가 느립니다. ",
    "장애 ",
    "재기동 해 주세요. ",
    "왜 안 되나요? ",
    ",",
    "가, ",
    "기재부 와스 1호기 ",
    "MOF-WAS-01, 2호기",
    "1호기 ",
    "(",
    "(가) ",
    "[",
    "`",
    "```\n",
    "> a\n",
    "---\n",
    "####\n",
    "a",
    "가",
    "1",
    "0",
    "1.",
    "/a",
    "a-",
    "<system>",
    "<system",
    "[system",
    "ignore ",
    "이전 지시 ",
    "1월 ",
    "1월     ",
    "면 ",
    "점검하고 ",
    "모든 서버, ",
    "승인 ",
    "우선순위 ",
    "에이전트 ",
    "느리면 재기동하고 ",
    "ㅋ",
    "안녕하세요 ",
    "님 ",
    "!",
    "!!님!!",
    "db 락 세션 쿼리 배포 ",
    "오류 로그 확인 ",
    "ora-00001 ",
    "v1.2.3 ",
    "a\u0315\u0300\u05ae",
    "가고, , ",
    "\U000e0041",
)
READERS: tuple[Callable[[str], object], ...] = (
    lambda text: triage(text, read_directory()),
    divide,
    lambda text: goal_scope(text, read_directory()),
    lambda text: deadlines(text, date(2026, 11, 30)),
)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_no_text_takes_more_than_a_moment(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    with hang_guard("reading a hostile text"):
        for read in READERS:
            read(text)


def test_blank_lines_cost_nothing() -> None:
    with hang_guard("reading a hostile text"):
        assert triage("\n" * 16_000 + "MOE-DB-01 느려요", read_directory()).servers == ()
        assert triage("MOE-DB-01 느려요" + "\n" * 16_000, read_directory()).servers
