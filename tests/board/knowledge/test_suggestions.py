"""Sentences that state a rule or a fact become filled forms; others do not."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from guardia.board.knowledge.suggestions import servers_in, suggestions

SERVERS = ("MOF-DB-01", "MOF-WAS-01")
CASES = [
    ("업무 시간에는 재기동을 금지합니다.", "never", {"actions": "service.restart"}),
    ("월말 결산 기간에는 배포 금지.", "freeze", {"actions": "deploy.*"}),
    ("/data/old.d 아래 파일은 절대 삭제하지 않습니다.", "never", {"paths": "/data/old.d"}),
    ("mof-db-01은 재시작하면 안 됩니다", "never", {"server": "MOF-DB-01"}),
    ("매월 25일부터 말일까지 변경 금지", "freeze", {"institution": "MOF"}),
    ("MOF-WAS-01의 포트는 8080입니다.", "fact", {}),
    ("재기동 뒤 로그를 확인합니다.", "", {}),
    ("MOE-DB-01의 포트는 5432입니다.", "", {}),
    ("MOF-WAS-01은 중요한 서버입니다. 절대 잊지 마십시오.", "", {}),
    ("점심시간은 12시입니다.", "", {}),
]


@pytest.mark.parametrize(("text", "kind", "fields"), CASES)
def test_what_a_sentence_states(text: str, kind: str, fields: dict[str, str]) -> None:
    found = suggestions([(3, text)], "MOF", "", SERVERS)
    assert [one.kind for one in found] == ([kind] if kind else [])
    for one in found:
        query = {name: values[0] for name, values in parse_qs(urlsplit(one.path).query).items()}
        assert one.ordinal == 3 and one.sentence in " ".join(text.split())
        assert kind == "fact" or query["sentence"] == one.sentence
        assert fields.items() <= query.items()


def test_the_same_sentence_is_proposed_once() -> None:
    text = "재기동 금지입니다.\n재기동 금지입니다."
    assert len(suggestions([(1, text), (2, text)], "MOF", "", ())) == 1
    assert servers_in(["mof-db-01과 a_b-c"]) == {"MOF-DB-01"}
