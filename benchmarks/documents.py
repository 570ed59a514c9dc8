"""Reading of documents: time of each format on real files, and how many passages they become.

    make bench NAME=documents ARGS="[FILE ...]"

Real files are those of the tests, this manual, and what installed packages ship; a large one of
each office format is written by its library. Processor time of this process, the best of three;
the bounded process adds its fork, about 20 ms.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from guardia.knowledge.loaders import reading_job

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "knowledge" / "loaders" / "cases"
SHIPPED = ("/usr/share/doc/libtasn1-doc/libtasn1.pdf", "/usr/share/doc/*/*.pdf")
SENTENCE = "예산 시스템 서버의 로그 볼륨이 가득 차면 오래된 로그를 보관소로 옮깁니다. "


def main() -> None:
    reading_job.load_libraries()
    given = [(Path(one).name, Path(one).read_bytes()) for one in sys.argv[1:]]
    print(f"{'file':<32}{'KB':>8}{'pages':>7}{'passages':>10}{'ms':>9}")
    for name, data in given or files():
        measure(name, data)


def files() -> Iterator[tuple[str, bytes]]:
    yield from ((one.name, one.read_bytes()) for one in sorted(CASES.glob("sample*")))
    yield from ((one.name, one.read_bytes()) for one in sorted(ROOT.glob("docs/o*.md")))
    found = {path for pattern in SHIPPED for path in Path("/").glob(pattern[1:])}
    yield from ((one.name, one.read_bytes()) for one in sorted(found))
    html = f"<h1>지침</h1>{''.join(f'<h2>{n}</h2><p>{SENTENCE}</p>' for n in range(1000))}"
    yield "1,000 sections.html", html.encode()
    yield "1,000 paragraphs.docx", _docx()
    yield "100 slides.pptx", _pptx()
    yield "5,000 rows.xlsx", _xlsx()
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "점검 결과", "a@example.com"
    mail.set_content(SENTENCE * 200)
    yield "mail.eml", mail.as_bytes()


def measure(name: str, data: bytes) -> None:

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        times = []
        for _ in range(3):
            begun = time.process_time()
            answer = json.loads(reading_job.run({"path": file.name, "name": name}))
            times.append(1000 * (time.process_time() - begun))
    if "problem" in answer:
        print(f"{name:<32}{len(data) // 1024:>8} {answer['problem']}")
        return
    passages, pages = len(answer["passages"]), answer["pages"]
    print(f"{name:<32}{len(data) // 1024:>8}{pages:>7}{passages:>10}{min(times):>9.0f}")


def _docx() -> bytes:
    from docx import Document

    document = Document()
    for number in range(1000):
        if number % 10 == 0:
            document.add_heading(f"{number}장", 1)
        document.add_paragraph(SENTENCE)
    table = document.add_table(100, 4)
    for row in table.rows:
        row.cells[0].text = SENTENCE[:12]
    return _saved(document)


def _pptx() -> bytes:
    from pptx import Presentation

    deck = Presentation()
    for number in range(100):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"{number}장"
        slide.placeholders[1].text = SENTENCE * 3
    return _saved(deck)


def _xlsx() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    for number in range(5000):
        book.active.append([number, f"MOF-WAS-{number:02}", SENTENCE[:20], number / 7])
    return _saved(book)


def _saved(what: object) -> bytes:
    buffer = io.BytesIO()
    what.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


if __name__ == "__main__":
    main()
