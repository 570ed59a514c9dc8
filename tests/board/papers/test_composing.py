"""A paper has what is known, leaves the unknown empty, and shows no secret."""

from __future__ import annotations

from guardia.board.papers import template
from guardia.board.papers.composing import MOST_ROWS, compose
from guardia.board.papers.paper import Paper, PaperFacts, Value

TEMPLATE = """kind: work_plan
title: 계획서
approvals: [담당, 승인]
sections:
  - title: 개요
    fields:
      - {label: 작업명, fact: title}
      - {label: 원인, fact: cause, wide: true}
      - {label: 입회자}
      - {label: 장소, text: 전산실}
  - title: 작업
    table:
      of: steps
      columns: [{label: 순번, fact: no}, {label: 명령, fact: command}, {label: 확인}]
      blank: 3
  - title: 비고
    table:
      columns: [{label: 항목}, {label: 결과}]
      items: [[백업]]
"""


def composed(
    values: dict[str, Value],
    steps: list[dict[str, Value]] | None = None,
    hidden: frozenset[str] = frozenset(),
) -> Paper:
    found = template.parse(TEMPLATE, "work_plan")
    return compose(found, PaperFacts("SR-1", values, {"steps": steps or []}, hidden))


def test_the_unknown_stays_empty() -> None:
    paper = composed({"title": "재시작"}, [{"no": 1, "command": "ls"}])
    assert paper.file_name == "계획서 SR-1" and paper.approvals == ("담당", "승인")
    fields = {one.label: one.value for one in paper.sections[0].fields}
    assert fields == {"작업명": "재시작", "원인": None, "입회자": "", "장소": "전산실"}
    assert [len(row) for row in paper.sections[0].field_rows] == [1, 1, 2]
    work, notes = paper.sections[1].table, paper.sections[2].table
    assert work is not None and work.rows == ((1, "ls", None), (None,) * 3, (None,) * 3)
    assert notes is not None and notes.rows == (("백업", None),)


def test_what_may_not_be_seen_is_left_out() -> None:
    paper = composed({"title": "재시작", "cause": "x"}, [], frozenset({"cause", "steps"}))
    assert [one.title for one in paper.sections] == ["개요", "비고"]
    assert "원인" not in [one.label for one in paper.sections[0].fields]


def test_no_secret_and_no_forbidden_character_is_shown() -> None:
    text = "\x00\x1b[31mpassword=Hunter2! 900101-1234567\ud800 010-1234-5678\r\n끝"
    shown = str(composed({"title": text}).sections[0].fields[0].value)
    assert "Hunter2" not in shown and "1234567" not in shown and "1234-5678" not in shown
    assert not any(ord(c) < 32 and c != "\n" for c in shown) and shown.endswith("끝")
    assert shown.encode()


def test_a_long_list_says_that_it_is_cut() -> None:
    paper = composed({}, [{"no": n, "command": "x"} for n in range(MOST_ROWS + 7)])
    table = paper.sections[1].table
    assert table is not None and len(table.rows) == MOST_ROWS + 1
    # Lists are read no further than this: how many are left out is not known.
    assert str(table.rows[-1][0]).startswith("처음 2,000건만")
