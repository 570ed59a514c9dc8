"""Papers as HWPX, as a workbook and as a page: read back, also with hostile texts."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from openpyxl import load_workbook

from guardia.board.papers import printing
from guardia.board.papers.hwpx_writer import as_hwpx
from guardia.board.papers.paper import Paper, PaperColumn, PaperField, PaperSection, PaperTable
from guardia.board.papers.xlsx_writer import as_workbook

HOSTILE = "=cmd|'/c calc'!A1 <script>alert(1)</script> ]]> &amp; \"'"


def paper(rows: int = 3) -> Paper:
    columns = (
        PaperColumn("순번", 6, "center"),
        PaperColumn("명령", 60),
        PaperColumn("율", 14, "right"),
    )
    table = PaperTable(columns, tuple((n, f"명령 {n}\nselect {n}", n / 2) for n in range(rows)))
    fields = (
        PaperField("작업명", HOSTILE, wide=True),
        PaperField("입회자", None),
        PaperField("장소", "전산실"),
    )
    sections = (PaperSection("1. 개요", fields), PaperSection("2. 작업", (), table))
    return Paper("작업계획서", "SR-1", ("담당", "승인"), sections, "빈칸은 직접 기재합니다.")


def opened(content: bytes) -> Any:
    from hwpx import HwpxDocument

    return HwpxDocument.open(io.BytesIO(content))


def test_hwpx_is_valid_and_reads_back() -> None:
    document = opened(as_hwpx(paper()))
    assert not document.validate().issues
    text = document.text.plain()
    assert HOSTILE in text and "명령 2" in text and "빈칸은" in text
    tables = [t for p in document.paragraphs for t in p.tables]
    assert [(t.row_count, t.column_count) for t in tables] == [(2, 3), (2, 4), (4, 3)]
    assert tables[1].cell(1, 1).text == "" and tables[1].cell(1, 3).text == "전산실"
    assert tables[1].cell(0, 1).span == (1, 3)
    assert tables[2].cell(1, 1).text == "명령 0\nselect 0"
    assert tables[2].element.get("repeatHeader") == "1"
    page = document.sections[0].element.find(".//{*}pagePr")
    sides = [round(int(page.get(side)) * 25.4 / 7200) for side in ("width", "height")]
    assert sides == [210, 297]


def test_a_workbook_has_real_numbers_and_no_formula() -> None:
    sheet: Any = load_workbook(io.BytesIO(as_workbook(paper()))).worksheets[0]
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}
    assert HOSTILE in [cell.value for cell in cells]
    assert [c.value for c in cells if c.data_type == "n"] == [0, 0, 1, 0.5, 2, 1]
    assert str(sheet.page_setup.paperSize) == sheet.PAPERSIZE_A4
    assert sheet.page_setup.fitToWidth and not sheet.page_setup.fitToHeight
    assert {cell.column for cell in cells} <= set(range(1, 21))


def test_a_page_needs_no_other_file_and_escapes_texts() -> None:
    html = printing.as_html(paper())

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags, self.text = list[str](), ""

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags.append(tag)

        def handle_data(self, data: str) -> None:
            self.text += data

    reader = Reader()
    reader.feed(html)
    assert HOSTILE in reader.text and "script" not in reader.tags and "link" not in reader.tags
    assert not re.search(r"(src|href)=", html)


@pytest.mark.slow
def test_five_hundred_commands_are_written() -> None:
    big = paper(500)
    assert "select 499" in opened(as_hwpx(big)).text.plain()
    sheet: Any = load_workbook(io.BytesIO(as_workbook(big))).worksheets[0]
    assert any(c.value == "명령 499\nselect 499" for row in sheet.iter_rows() for c in row)
    assert "select 499" in printing.as_html(big)
