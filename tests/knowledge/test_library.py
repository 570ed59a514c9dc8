"""Runbooks are found by the words that people use when they need them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardia.errors import NotFound
from guardia.knowledge.library import Library

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "search.jsonl").read_text("utf-8").splitlines()
]


DATABASE = ("db-lock-chain", "mysql-lock-wait")
ANY = ("account-locked", "inode-exhaustion", "timer-off")
"""Runbooks for servers of every kind."""


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.shipped()


def test_the_right_runbook_comes_first(library: Library) -> None:
    asked = [c for c in CASES if c["runbook"]]
    missed = []
    for case in asked:
        found = library.find(case["text"])
        if not found or found[0].runbook.id != case["runbook"]:
            missed.append((case["text"], [f.runbook.id for f in found]))
    assert len(asked) >= 40 and len({c["runbook"] for c in asked}) == 18
    assert len(missed) <= 0.05 * len(asked), missed


def test_nothing_is_found_without_a_shared_word(library: Library) -> None:
    assert library.find("구내식당 식단표 어디서 보나요") == []
    assert library.find("") == []


def test_filters_by_skill_kind_and_service(library: Library) -> None:
    text = "쿼리가 느리고 화면이 안 떠요 인증서 로그 배포"
    everything = {f.runbook.id for f in library.find(text, limit=20)}
    assert {"db-lock-chain", "was-hung", "certificate-check"} <= everything
    for name in ("skills", "kinds"):
        found = library.find(text, limit=20, **{name: ("DB",)})  # type: ignore[arg-type]
        assert [f.runbook.id for f in found][:1] == ["db-lock-chain"]
        assert {f.runbook.id for f in found} <= {*DATABASE, *(() if name == "skills" else ANY)}
    web = library.find(text, limit=20, service="tls")
    assert [f.runbook.id for f in web] == ["certificate-check", "certificate-renewal"]
    assert library.find(text, skills=("NETWORK",)) == []


def test_a_runbook_for_a_product_is_for_servers_that_have_it(library: Library) -> None:
    text = "톰캣 스레드가 교착 상태입니다"
    assert library.find(text, products=("nginx", "tomcat"))[0].runbook.id == "tomcat-hung"
    assert "tomcat-hung" not in {f.runbook.id for f in library.find(text, products=("", "nginx"))}


def test_best_first_and_limited(library: Library) -> None:
    found = library.find("로그 분석 부탁드려요 와스가 느려요", limit=2)
    assert len(found) == 2 and found[0].score >= found[1].score > 0


def test_the_passage_belongs_to_the_runbook(library: Library) -> None:
    for case in CASES:
        for found in library.find(case["text"]):
            assert found.passage in found.runbook.passages


def test_the_opening_is_cited_unless_another_passage_fits_far_better(library: Library) -> None:
    assert library.find("기재부 운영DB 쿼리가 너무 느려요")[0].passage.heading == "적용 대상"
    undo = library.find("배포 이전 버전의 폴더 연결을 되돌린 뒤 데이터 형식 개발 담당자 확인")[0]
    assert (undo.runbook.id, undo.passage.heading) == ("was-deploy", "원복")


def test_a_runbook_by_its_id(library: Library) -> None:
    assert library.runbook("was-hung").title
    with pytest.raises(NotFound):
        library.runbook("nothing")
