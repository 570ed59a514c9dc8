"""The service catalogue: the shipped forms, search, and faults with line and reason."""

from __future__ import annotations

import pytest

from guardia.board.request_forms import catalogue
from guardia.errors import Invalid
from guardia.org import yaml_problems

FORM = """forms:
  - id: vpn
    title: VPN 신청
    group: 네트워크
    fields:
      - {id: user, label: 성명}
      - {id: kind, label: 구분, kind: choice, options: [재택, 출장]}
"""


def test_the_shipped_catalogue_is_valid_and_covers_everyday_requests() -> None:
    found = catalogue.parse(catalogue.shipped_text())
    assert len(found.forms) >= 20
    for words in ("계정", "권한", "VPN", "PC", "메일", "데이터 추출", "방화벽", "비번", "재택"):
        assert found.search(words), words
    assert found.search("vpn")[0].id == "vpn-access"
    assert found.search("방화벽 포트")[0].id == "firewall-open"
    assert not found.search("없는 양식")
    assert all(
        form.category
        in (None, "ACCOUNT", "NETWORK", "SECURITY", "DB", "WEB", "STORAGE", "BACKUP", "GENERAL")
        for form in found.forms
    )


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("label: 성명}", "label: 성명, hlep: 이름}", 6, "철자"),
        ("{id: user, label: 성명}", "{id: user}", 6, "필요한 항목"),
        ("kind: choice,", "kind: choise,", 7, "중에서 선택"),
        (", options: [재택, 출장]", "", 7, "options"),
        ("id: vpn", "id: VPN 신청", 2, "영문 소문자"),
        ("label: 성명}", "label: 성명, least: 1}", 6, "least"),
        ("id: kind", "id: user", 2, "같은 id"),
        ("    title: VPN 신청\n", "", 2, "필요한 항목"),
        ("label: 성명}", "label: 성명, kind: number, least: 5, most: 1}", 6, "least"),
    ],
)
def test_a_fault_names_its_line_and_reason(before: str, after: str, line: int, why: str) -> None:
    text = FORM.replace(before, after, 1)
    problems = yaml_problems.find_problems(catalogue.Catalogue, text, catalogue.NAME)
    assert [(one.line, why in one.text) for one in problems] == [(line, True)], problems
    with pytest.raises(Invalid):
        catalogue.parse(text)


def test_what_is_no_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(Invalid, match="3행"):
        catalogue.parse("forms:\n  - {id: vpn\n")
    with pytest.raises(Invalid):
        catalogue.parse("")
