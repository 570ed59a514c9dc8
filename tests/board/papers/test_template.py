"""Templates: the shipped ones are valid, and a fault names its line and reason."""

from __future__ import annotations

import pytest

from guardia.board.papers import preview, template
from guardia.board.papers.paper import KINDS, PaperKind
from guardia.errors import Invalid, NotFound

TEMPLATE = """kind: month
title: 월간 보고서
sections:
  - title: 총괄
    fields:
      - {label: 접수, fact: received}
  - title: 장애
    table:
      of: incident_list
      columns: [{label: 번호, fact: number}]
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_templates_are_valid_and_can_be_shown(kind: PaperKind) -> None:
    found = template.parse(template.shipped_text(kind), kind)
    shown = preview.preview(found)
    assert shown.title == found.title and len(shown.sections) == len(found.sections)


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("fact: received", "fact: nonsense", 1, "nonsense"),
        ("fact: number}", "fact: server}", 1, "incident_list.server"),
        ("of: incident_list", "of: nothing", 1, "nothing"),
        ("fact: received", "fact: received, text: 고정", 6, "하나만"),
        ("of: incident_list", "blank: 99", 9, "50"),
        ("of: incident_list", "blank: 3", 9, "of가 없는"),
        ("    fields:\n      - {label: 접수, fact: received}\n", "", 4, "fields나 table"),
        ("title: 월간 보고서", "titel: 월간 보고서", 2, "알 수 없는"),
        ("kind: month", "kind: letter", 1, "month"),
    ],
)
def test_a_fault_names_its_line_and_reason(before: str, after: str, line: int, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        template.parse(TEMPLATE.replace(before, after, 1), "month")
    lines = str(refused.value.detail["why"]).splitlines()
    assert any(f"{line}행" in one and why in one for one in lines), lines


def test_another_kind_and_what_is_no_yaml_are_refused() -> None:
    with pytest.raises(Invalid, match="incident"):
        template.parse(TEMPLATE, "incident")
    with pytest.raises(Invalid, match="3행"):
        template.parse("kind: month\nsections: [\n", "month")
    with pytest.raises(NotFound):
        template.kind_of("letter")
