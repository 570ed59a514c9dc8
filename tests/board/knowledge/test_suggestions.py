"""Sentences that state a rule or a fact are read with their fields; others are not."""

from __future__ import annotations

import pytest

from guardia.board.knowledge.stated_facts import changes_of
from guardia.board.knowledge.stated_periods import read_periods
from guardia.board.knowledge.suggestions import servers_in, suggestions
from guardia.board.site_rules.wording import parse_period
from guardia.org.directory import Host, Service

WAS = Host(
    server_id="MOF-WAS-01",
    institution="MOF",
    kind="WAS",
    aliases=("세정 WAS",),
    services=(
        Service(name="was", kind="http", product="tomcat", port=8080),
        Service(name="web", kind="http", product="nginx"),
    ),
)
DB = Host(
    server_id="MOF-DB-01",
    institution="MOF",
    kind="DB",
    services=(Service(name="budgetdb", kind="postgresql", port=5432),),
)
SERVERS = {WAS.server_id: WAS, DB.server_id: DB}
CASES = [
    ("업무 시간에는 재기동을 금지합니다.", "never", {"actions": "service.restart"}),
    ("월말 결산 기간에는 배포 금지.", "freeze", {"actions": "deploy.*"}),
    ("/data/old.d 아래 파일은 절대 삭제하지 않습니다.", "never", {"paths": "/data/old.d"}),
    ("mof-db-01은 재시작하면 안 됩니다", "never", {"server": "MOF-DB-01"}),
    ("매월 25일부터 말일까지 변경 금지", "freeze", {"institution": "MOF"}),
    ("MOF-WAS-01의 톰캣(tomcat) 포트는 8081입니다.", "fact", {"service": "was", "value": "8081"}),
    ("MOF-DB-01은 5433번 포트를 사용합니다.", "fact", {"before": "5432", "field": "port"}),
    ("MOF-DB-01의 별칭은 '예산 DB'입니다.", "fact", {"field": "aliases", "value": "예산 DB"}),
    ("MOF-DB-01의 로그 경로는 /var/log/pg이다", "fact", {"field": "logs", "value": "/var/log/pg"}),
    ("MOF-WAS-01의 tomcat 포트는 8080입니다.", "", {}),
    ("MOF-WAS-01의 포트는 8090입니다.", "", {}),
    ("MOF-WAS-01과 MOF-DB-01의 포트는 8090입니다.", "", {}),
    ("MOF-WAS-01의 별칭은 세정 WAS입니다.", "", {}),
    ("MOF-DB-01의 포트는 99999입니다.", "", {}),
    ("재기동 뒤 로그를 확인합니다.", "", {}),
    ("MOE-DB-01의 포트는 5433입니다.", "", {}),
    ("MOF-WAS-01은 중요한 서버입니다. 절대 잊지 마십시오.", "", {}),
    ("점심시간은 12시입니다.", "", {}),
]


@pytest.mark.parametrize(("text", "kind", "fields"), CASES)
def test_what_a_sentence_states(text: str, kind: str, fields: dict[str, str]) -> None:
    found = suggestions([(3, text)], "MOF", "", SERVERS)
    assert [one.kind for one in found] == ([kind] if kind else [])
    for one in found:
        assert one.ordinal == 3 and one.sentence in " ".join(text.split())
        assert fields.items() <= one.fields.items()
        if kind == "fact":
            assert changes_of(SERVERS[one.fields["server"]], one.fields)


def test_the_same_sentence_is_one_whatever_its_marks() -> None:
    text = "재기동 금지입니다.\n- 재기동  금지입니다"
    first, again = (suggestions([(n, text)], "MOF", "", {}) for n in (1, 2))
    assert len(first) == 1 and first[0].digest == again[0].digest
    assert suggestions([(1, text)], "MOE", "", {})[0].digest != first[0].digest
    assert servers_in(["mof-db-01과 a_b-c"]) == {"MOF-DB-01"}


@pytest.mark.parametrize(
    ("sentence", "periods"),
    [
        ("매월 25일부터 말일까지 변경 금지", ["매월 말 7일"]),
        ("매월 말일 3일간 배포를 금지한다", ["매월 말 3일"]),
        ("매월 1일부터 5일까지는 재기동 금지", ["매월 초 5일"]),
        ("매년 12월 20일부터 1월 5일까지 배포 금지", ["매년 12-20~01-05"]),
        (
            "2026년 12월 20일부터 1월 5일까지 배포 금지",
            ["2026-12-20 00:00~2027-01-05 23:59"],
        ),
        ("매주 금요일 18시부터 24시까지 배포 금지", ["매주 금 18:00~23:59"]),
        ("월말 결산 기간에는 배포 금지", []),
        ("13월 40일부터 14월 1일까지 금지", []),
    ],
)
def test_periods_are_lines_that_the_form_reads(sentence: str, periods: list[str]) -> None:
    assert list(read_periods(sentence)) == periods
    for line in periods:
        assert parse_period(line)
