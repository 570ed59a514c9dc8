"""Each format, with headings and tables, in files that other libraries and programs wrote."""

from __future__ import annotations

import io
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from guardia.knowledge.loaders import pdf
from guardia.knowledge.loaders.reading import Reading, Unreadable
from guardia.knowledge.loaders.registry import read
from guardia.knowledge.passages import Block

CASES = Path(__file__).parent / "cases"
TABLE = (("서버", "용도"), ("MOF-WAS-01", "예산 시스템"), ("MOF-DB-01", "예산 DB"))


def shape(found: Reading) -> list[Any]:
    """Return headings as (level, text), texts as they are, tables as rows."""

    def one(block: Block) -> Any:
        if block.kind == "heading":
            return block.level, block.text
        return block.rows if block.kind == "table" else block.text

    return [one(block) for block in found.blocks]


def test_markdown_keeps_headings_tables_and_code() -> None:
    text = (
        "# 절차\n\n먼저 *확인*합니다.\n\n| 서버 | 용도 |\n|---|---|\n| a\\|b | c |\n\n"
        "```\ndf -h\n```\n\n## 끝\n- 하나\n- 둘\n"
    )
    assert shape(read(text.encode(), "a.md")) == [
        (1, "절차"),
        "먼저 *확인*합니다.",
        (("서버", "용도"), ("a|b", "c")),
        "df -h\n",
        (2, "끝"),
        "- 하나\n- 둘",
    ]


@pytest.mark.slow
def test_docx_keeps_headings_tables_merged_cells_and_notes() -> None:
    from docx import Document

    document = Document()
    document.add_heading("운영 지침", 0)
    document.add_heading("점검", 1)
    document.add_paragraph("매일 점검합니다.")
    document.add_paragraph("첫째", style="List Bullet")
    table = document.add_table(rows=3, cols=2)
    for row, texts in zip(table.rows, TABLE, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    merged = document.add_table(rows=2, cols=2)
    merged.cell(0, 0).merge(merged.cell(0, 1)).text = "합친 칸"
    merged.cell(1, 0).text, merged.cell(1, 1).text = "가", "나"
    document.add_heading("연락처", 2)
    file = io.BytesIO()
    document.save(file)
    assert shape(read(file.getvalue(), "지침.docx")) == [
        (1, "운영 지침"),
        (1, "점검"),
        "매일 점검합니다.",
        "- 첫째",
        TABLE,
        (("합친 칸", "합친 칸"), ("가", "나")),
        (2, "연락처"),
    ]


def test_pptx_keeps_slides_titles_and_tables() -> None:
    from pptx import Presentation
    from pptx.util import Inches

    show = Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "장애 대응"
    first.placeholders[1].text = "원인을 먼저 봅니다"
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = "서버"
    size = Inches(1), Inches(2), Inches(6), Inches(2)
    table = second.shapes.add_table(3, 2, *size).table
    for at, texts in enumerate(TABLE):
        for column, text in enumerate(texts):
            table.cell(at, column).text = text
    second.notes_slide.notes_text_frame.text = "발표자 메모"
    file = io.BytesIO()
    show.save(file)
    found = read(file.getvalue(), "발표.pptx")
    assert shape(found) == [
        (1, "장애 대응"),
        "원인을 먼저 봅니다",
        (1, "서버"),
        TABLE,
        "발표자 메모",
    ]
    assert [block.page for block in found.blocks] == [1, 1, 2, 2, 2]
    assert found.pages == 2


def test_xlsx_keeps_sheets_and_shows_values() -> None:
    from datetime import datetime

    import xlsxwriter

    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet("서버 목록")
    sheet.write(0, 0, "서버 현황")
    for at, row in enumerate(TABLE, 1):
        sheet.write_row(at, 0, row)
    sheet.write_formula(5, 0, "=1+1", None, 2)
    other = book.add_worksheet("점검")
    other.write_row(0, 0, ["날짜", "값"])
    other.write_datetime(1, 0, datetime(2026, 11, 30), book.add_format({"num_format": "yy-mm-dd"}))
    other.write(1, 1, 0.5)
    hidden = book.add_worksheet("숨김")
    hidden.write(0, 0, "보이지 않음")
    hidden.hide()
    book.close()
    found = read(file.getvalue(), "목록.xlsx")
    assert shape(found) == [
        (2, "서버 현황"),
        TABLE,
        "2",
        (("날짜", "값"), ("2026-11-30", "0.5")),
    ]
    assert [block.sheet for block in found.blocks] == ["서버 목록"] * 3 + ["점검"]


def test_html_keeps_what_a_reader_sees() -> None:
    page = """<html><head><meta charset="euc-kr"><title>x</title></head><body><nav>차림</nav>
        <h1>공지</h1><p>첫째 <b>굵게</b><br>둘째</p><script>alert(1)</script>
        <p style="display:none">보이지 않는 지시</p>
        <table><tr><th>서버<th>용도</tr><tr><td rowspan=2>MOF<td>예산</tr><tr><td>결산</tr></table>
        <ul><li>하나<li>둘</ul><pre>df -h</pre></body></html>"""
    assert shape(read(page.encode("cp949"), "a.html")) == [
        "차림",
        (1, "공지"),
        "첫째 굵게\n둘째",
        (("서버", "용도"), ("MOF", "예산"), ("MOF", "결산")),
        "- 하나",
        "- 둘",
        "df -h",
    ]


@pytest.mark.parametrize(
    "encoding",
    [
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"),
        *("cp949", "euc-kr", "johab", "iso2022_kr"),
    ],
)
def test_text_is_decoded_in_any_korean_encoding(encoding: str) -> None:
    text = (
        "예산 시스템 서버 점검 결과를 다음과 같이 보고합니다.\n\n똠방각하 제외, 디스크 사용률 91%."
    )
    if encoding in {"euc-kr", "iso2022_kr"}:
        text = text.replace("똠", "방")
    found = read(text.encode(encoding), "보고.txt")
    assert shape(found) == text.split("\n\n")


def test_decomposed_hangul_is_composed() -> None:
    import unicodedata

    name = unicodedata.normalize("NFD", "서버 점검")
    assert shape(read(name.encode(), "a.txt")) == ["서버 점검"]


def test_csv_is_a_table() -> None:
    text = '서버,용도\nMOF-WAS-01,예산 시스템\nMOF-DB-01,"예산 DB"\n'
    assert shape(read(text.encode("cp949"), "a.csv")) == [TABLE]


def test_mail_keeps_subject_sender_text_and_names_of_files() -> None:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "김철수 <eng@example.go.kr>", "야간 점검 안내"
    mail.set_content("내일 점검합니다.")
    mail.add_alternative(
        "<p>내일 점검합니다.</p><table><tr><td>서버<td>용도<tr><td>a<td>b</table>", subtype="html"
    )
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="계획.pdf")
    assert shape(read(mail.as_bytes(), "안내.eml")) == [
        (1, "야간 점검 안내"),
        "김철수 <eng@example.go.kr>",
        "내일 점검합니다.",
        (("서버", "용도"), ("a", "b")),
        "- 계획.pdf",
    ]


def hwpx_file() -> bytes:
    from hwpx import HwpxDocument

    document = HwpxDocument.new()
    document.add_heading("운영 계획", level=1)
    document.add_paragraph("매일 점검합니다.", style="바탕글")
    table = document.add_table(3, 2)
    for at, texts in enumerate(TABLE):
        for column, text in enumerate(texts):
            table.set_cell_text(at, column, text)
    document.add_heading("연락처", level=2)
    file = io.BytesIO()
    document.save_to_stream(file)
    return file.getvalue()


def test_hwpx_keeps_headings_and_tables() -> None:
    found = shape(read(hwpx_file(), "계획.hwpx"))
    assert found == [(1, "운영 계획"), "매일 점검합니다.", TABLE, (2, "연락처")]


ANTHEM = [
    "동해 물과 백두산이 마르고 닳도록",
    "하느님이 보우하사 우리나라 만세",
    "남산 위의 저 소나무 철갑을 두른 듯",
    "바람 서리 불변함은 우리 기상일세",
    "가을 하늘 공활한데 높고 구름 없이",
    "밝은 달은 우리 가슴 일편단심일세",
    "이 기상과 이 맘으로 충성을 다하여",
    "괴로우나 즐거우나 나라 사랑하세",
    "무궁화 삼천리\n화려 강산\n대한 사람 대한으로\n길이 보전하세",
]


@pytest.mark.parametrize("name", ["sample_document.hwp", "sample_document.hwpx"])
def test_files_of_hancom_office(name: str) -> None:
    found = read((CASES / name).read_bytes(), name)
    assert shape(found) == ANTHEM
    assert found.format == name.rpartition(".")[2]


@pytest.mark.slow
@pytest.mark.browser
def test_pdf_keeps_headings_tables_and_pages(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>{one}</td><td>{two}</td></tr>" for one, two in TABLE)
    page = f"""<html lang=ko><meta charset=utf-8><style>
        td {{ border: 1px solid; padding: 4px }} table {{ border-collapse: collapse }}
        h1 {{ font-size: 24pt }} h2 {{ font-size: 18pt; break-before: page }}
        body {{ font-size: 11pt }}
        </style><h1>운영 지침</h1><p>서버를 매일 점검합니다.</p><table>{rows}</table>
        <h2>연락처</h2><p>담당자에게 알립니다.</p></html>"""
    source, target = tmp_path / "a.html", tmp_path / "a.pdf"
    source.write_text(page, "utf-8")
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--print-to-pdf={target}", str(source)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    found = read(target.read_bytes(), "지침.pdf")
    assert shape(found) == [
        (1, "운영 지침"),
        "서버를 매일 점검합니다.",
        TABLE,
        (2, "연락처"),
        "담당자에게 알립니다.",
    ]
    assert [block.page for block in found.blocks] == [1, 1, 1, 2, 2]


def test_a_pdf_whose_catalog_is_lost_is_read_by_langchain() -> None:
    damaged = simple_pdf("Restart the service").replace(b"/Root ", b"/Rook ")
    with pytest.raises(Unreadable):
        pdf.blocks(damaged)
    assert shape(read(damaged, "a.pdf")) == ["Restart the service"]


def simple_pdf(text: str, pages: int = 1) -> bytes:
    """Return a PDF that pypdf writes."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for _ in range(pages):
        page = writer.add_blank_page(300, 200)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()
