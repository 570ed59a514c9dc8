"""Particles follow the last sound of the word before them, as it is read aloud in Korean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.i18n import catalogue, t
from guardia.particles import PAIRS, with_particle

CASES = """
김철수는 이영희는 정다은은 서버는 작업은 파일은 담당자는
김철수가 정다은이 계획이 상태가
김철수를 계획을 파일을
김철수와 계획과 파일과
서버로 계획으로 파일로 서울로 완료로 승인으로
승인이라 완료라 파일이라
0으로 1로 2로 3으로 4로 5로 6으로 7로 8로 9로
10으로 20으로 100으로 1000으로 10,000으로 100000000으로 1000000000000로
11로 12로 13으로 2.5로 1.0으로 3.1.0으로 3.1.1로 10.0.0.1로
1은 2는 3은 6은 10은 1이 2가 3이
SR-10으로 SR-12로 SR-13으로 SR-1은 SR-2는 #7은
MOF-WAS-01이 MOF-WAS-02가 MOF-DB-01로 P1은 P3으로
INFO로 DEBUG로 WARN으로 ERROR로 FATAL로 TRACE로
DB가 URL이 PM이 WAS가 HTTP가 SSH가 SQL이 VPN이 CPU가 API가 WEB이 AI가 LAN이
DB로 URL로 PM으로 SQL로 SR이
Tomcat이 JSON이 YAML이 BACKUP이 NETWORK가 Oracle이 Redis가 Chrome이 webhook이 root가
db-agent는 was-agent가 dispatcher가 auditor를 service.restart를 disk.archive를 logs.tail을
service.set_log_level은 database.terminate_session을 heartbeat.timeout은 agent를 app.log를
u-lead-1은 u-sec-2는 http를 ssh로 sql로 npm으로 v로
50%가 90%로 (주)가
김철수(대리)가 정다은(u-lead-1)이 서버(DB)로 배포(3.1.0)로 [승인]이 (승인)으로
‘승인’이 “완료”가 '반려'는 "계획"을 `INFO`로 「완료」를
완료.로 승인…이 끝!이
"""

FORMS = sorted(
    ((form, pair) for pair in PAIRS for form in pair.split("/")), key=lambda f: -len(f[0])
)


@pytest.mark.parametrize("text", CASES.split())
def test_the_form_follows_the_last_sound(text: str) -> None:
    form, pair = next(found for found in FORMS if text.endswith(found[0]))
    assert with_particle(text.removesuffix(form), pair) == text


@given(st.text(max_size=20), st.sampled_from(sorted(PAIRS)))
def test_any_text_gets_one_of_the_forms(text: str, pair: str) -> None:
    assert with_particle(text, pair) in {text + form for form in pair.split("/")}


def test_a_word_without_a_sound_still_gets_one_form() -> None:
    assert [with_particle(word, "을/를") for word in ("", "…", "→")] == ["을", "…을", "→을"]


def test_a_placeholder_carries_a_particle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        catalogue("ko", "web"), "sample", "{who:은/는} {what:을/를} {where:으로/로}"
    )
    assert t("web.sample", who="김철수", what="SR-1", where="INFO") == "김철수는 SR-1을 INFO로"


def test_a_value_with_braces_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue("ko", "web"), "sample", "{who:이/가} {what}")
    assert t("web.sample", who="{what:을/를}", what="B") == "{what:을/를}이 B"
