"""Rows of cards as files that Excel opens: real numbers and dates, and no formulas."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pytest
from openpyxl import load_workbook

from guardia.board.dashboard.cards import CardTable
from guardia.board.dashboard.exports import as_csv, as_workbook

AT = datetime(2026, 11, 30, 15, 30, tzinfo=UTC)
HARMLESS = ("기획재정부", "SR-1", "a=1", "")
FORMULAS = (
    "=1+1",
    "+82",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "\uff1d1+1",
    '=HYPERLINK("x")',
)


def test_csv_has_a_mark_for_excel_and_times_of_seoul() -> None:
    text = as_csv(CardTable(("기관", "건수", "시각"), (("가,나\n다", 1234, AT), ("", None, None))))
    assert text.startswith("\ufeff기관,건수,시각\r\n")
    rows = list(csv.reader(io.StringIO(text[1:], newline="")))
    assert rows[1] == ["가,나\n다", "1234", "2026-12-01 00:30:00"]
    assert rows[2] == ["", "", ""]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_becomes_a_formula(text: str) -> None:
    written = as_csv(CardTable(("제목", text), ((text, 1),)))[1:]
    (_, head), (cell, _) = csv.reader(io.StringIO(written, newline=""))
    for found in (head, cell):
        assert not found.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))
    sheet = load_workbook(io.BytesIO(as_workbook("표", CardTable(("제목",), ((text,),)))))["표"]
    assert sheet["A2"].data_type == "s"


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert as_csv(CardTable(("x",), ((text,),))).splitlines()[1].strip('"') == text


def test_a_negative_number_stays_a_number() -> None:
    assert as_csv(CardTable(("x",), ((-5,),))).splitlines()[1] == "-5"


def test_a_workbook_has_numbers_dates_and_control_characters_removed() -> None:
    row = ("가\x00\x0b나", 1234, 0.5, AT, date(2026, 12, 1))
    given = CardTable(("기관", "건수", "비용", "시각", "날짜"), (row,))
    book = load_workbook(
        io.BytesIO(
            as_workbook("기관별/현황 [전체]: 시트 이름으로 쓰기에는 서른한 글자를 넘는다", given)
        )
    )
    sheet = book.worksheets[0]
    assert [cell.value for cell in sheet[1]] == list(given.columns)
    name, number, cost, moment, day = sheet[2]
    assert (number.value, number.data_type) == (1234, "n")
    assert (cost.value, cost.data_type) == (0.5, "n")
    assert (moment.value, moment.is_date) == (datetime(2026, 12, 1, 0, 30), True)
    assert (day.value, day.is_date) == (datetime(2026, 12, 1), True)
    assert "\x00" not in name.value and "\x0b" not in name.value
    assert sheet.freeze_panes == "A2"
