"""Damaged, huge and hostile files end in a clear problem; the next file is read all the same."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardia.knowledge.loaders.sandbox import Sandbox

CASES = Path(__file__).parent / "cases"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox()
    yield one
    one.close()


def archive(*files: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files:
            packed.writestr(name, content)
    return file.getvalue()


def encrypted_zip() -> bytes:
    data = bytearray(archive(("word/document.xml", b"<x/>")))
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + at] |= 1
    return bytes(data)


BOMB = archive(("word/document.xml", b"<w>" + b"a" * (300 << 20)))
FILES = {
    "empty": (b" \n", "a.txt"),
    "unknown_format": (b"hello", "a.xyz"),
    "wrong_suffix": (b"%PDF-1.7\n%x", "a.docx"),
    "damaged": (archive(("word/document.xml", b"<broken")), "a.docx"),
    "bomb": (BOMB, "a.docx"),
    "encrypted": (encrypted_zip(), "a.docx"),
    "drm": (b"\x9b DRMONE  This Document is encrypted and protected by Fasoo DRM", "a.docx"),
    "macro": (archive(("word/document.xml", b"<x/>"), ("word/vbaProject.bin", b"x")), "a.docm"),
    "old_hwp": (b"HWP Document File V3.00 \x1a\x01", "a.hwp"),
    "rtf": (b"{\\rtf1 hello}", "a.docx"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"x" * 50, "a.pdf"),
    "program": (b"MZ\x90\x00" + b"x" * 50, "a.txt"),
    "archive": (archive(("a.txt", b"x")), "a.docx"),
    "binary": (bytes(range(1, 32)) * 40, "a.txt"),
    "binary with a few zeros": (b"hello\0world\0" * 3, "a.txt"),
    "no_text": (b"<html><body><img src=a.png></body></html>", "a.html"),
    "personal": ("홍길동 900101-1234568".encode(), "a.txt"),
}


@pytest.mark.parametrize("problem", FILES)
@pytest.mark.slow
def test_each_problem_is_named(sandbox: Sandbox, tmp_path: Path, problem: str) -> None:
    content, name = FILES[problem]
    path = tmp_path / "blob"
    path.write_bytes(content)
    found = sandbox.read(path, name)
    assert found.problem == problem.split(maxsplit=1)[0]
    assert not found.passages


def test_a_password_of_hancom_office_is_noticed(sandbox: Sandbox) -> None:
    found = sandbox.read(CASES / "protected_document.hwp", "a.hwp")
    assert found.problem == "encrypted"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.hwp", "a.hwpx", "a.pdf", "a.docx", "a.pptx", "a.xlsx"])
def test_noise_after_a_true_beginning_is_damaged(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    begins = {"a.hwp": OLE, "a.pdf": b"%PDF-1.7\n"}.get(name, b"PK\x03\x04")
    path = tmp_path / "blob"
    path.write_bytes(begins + os.urandom(5000))
    assert sandbox.read(path, name).problem == "damaged"


@pytest.mark.slow
def test_a_file_cut_off_at_any_point_is_read_or_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    whole = (CASES / "sample_document.hwp").read_bytes()
    path = tmp_path / "blob"
    for size in range(600, len(whole), 5000):
        path.write_bytes(whole[:size])
        found = sandbox.read(path, "a.hwp")
        assert found.problem in {"damaged", ""}


@pytest.mark.slow
def test_ten_thousand_pages_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    for _ in range(10_000):
        writer.add_blank_page(100, 100)
    writer.write(tmp_path / "blob")
    found = sandbox.read(tmp_path / "blob", "a.pdf")
    assert (found.problem, found.values["count"]) == ("too_many_pages", "10000")


def test_a_pdf_with_a_script_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    from pypdf import PdfWriter
    from pypdf.generic import DictionaryObject, NameObject, TextStringObject

    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    script = DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("app.alert(1)"),
        }
    )
    writer._root_object[NameObject("/OpenAction")] = script
    writer.write(tmp_path / "blob")
    assert sandbox.read(tmp_path / "blob", "a.pdf").problem == "macro"


def test_nothing_outside_is_read_by_an_entity(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("비밀번호")
    page = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]><html><p>앞 &e; 뒤</p></html>'
    path = tmp_path / "blob"
    path.write_text(page, "utf-8")
    found = sandbox.read(path, "a.html")
    assert "비밀번호" not in found.body


@pytest.mark.slow
def test_a_file_that_takes_too_much_memory_ends_alone(tmp_path: Path) -> None:
    # One character beyond the first plane makes four bytes of each.
    costly = "a" * (60 << 20) + "\U0001f600"
    ends_alone(tmp_path, {"memory": 420 << 20}, costly.encode(), "a.txt", "too_much_memory")


@pytest.mark.slow
def test_a_file_that_takes_too_long_ends_alone(tmp_path: Path) -> None:
    import xlsxwriter

    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    for row in range(5_000):
        sheet.write_row(row, 0, [f"값 {row} {column}" for column in range(20)])
    book.close()
    ends_alone(tmp_path, {"wall": 0.2}, file.getvalue(), "a.xlsx", "too_slow")


def ends_alone(
    folder: Path, limits: dict[str, float], content: bytes, name: str, problem: str
) -> None:
    """Read a costly file under limits, then a small one, which must succeed."""
    costly, small = folder / "costly", folder / "small"
    costly.write_bytes(content)
    small.write_text("정상 문서", "utf-8")
    sandbox = Sandbox(limits)
    try:
        assert sandbox.read(costly, name).problem == problem
        assert sandbox.read(small, "a.txt").body == "정상 문서"
    finally:
        sandbox.close()


@pytest.mark.slow
def test_the_process_gets_no_secret_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIA_PASSWORD", "비밀")
    sandbox = Sandbox()
    try:
        path = tmp_path / "a"
        path.write_text("문서", "utf-8")
        assert not sandbox.read(path, "a.txt").problem
        assert sandbox._process is not None
        environment = Path(f"/proc/{sandbox._process.pid}/environ").read_bytes()
        assert b"GUARDIA" not in environment
        assert sorted(tmp_path.iterdir()) == [path]
    finally:
        sandbox.close()


@pytest.mark.slow
def test_the_process_is_started_again_after_its_end(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("문서", "utf-8")
    assert sandbox.read(path, "a.txt").body == "문서"
    assert sandbox._process is not None
    sandbox._process.kill()
    sandbox._process.wait()
    assert sandbox.read(path, "a.txt").body == "문서"
