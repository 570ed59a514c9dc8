"""What of a mail's files is stored: documents are searched within bounds, nothing is unpacked."""

from __future__ import annotations

import io
import zipfile

import pytest
from openpyxl import Workbook

from guardia.board.intake.mail.files import files_to_keep
from guardia.board.intake.mail.message import InboundMail, MailAttachment

NUMBER = "900101-1234568"


def kept(name: str, content: bytes, media_type: str = "application/octet-stream") -> bytes | None:
    file = MailAttachment(name, media_type, content)
    mail = InboundMail("1", "1", "a@b.kr", "", (), "s", "x", "x", attachments=(file,))
    (found,) = files_to_keep(mail)
    assert (found.content is None) == bool(found.reason)
    return found.content


def workbook(value: str) -> bytes:
    book, target = Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(["이름", "번호"])
    sheet.append(["홍길동", value])
    book.save(target)
    return target.getvalue()


def archive(*parts: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts:
            file.writestr(name, content)
    return target.getvalue()


def test_a_document_with_a_resident_number_is_not_stored() -> None:
    assert kept("명단.xlsx", workbook(NUMBER)) is None
    assert kept("명단.xlsx", clean := workbook("900101")) == clean
    run = b"<w:p><w:r><w:t>900101</w:t></w:r><w:r><w:t>-1234568</w:t></w:r></w:p>"
    assert kept("a.docx", archive(("word/document.xml", run))) is None
    assert kept("a.hwpx", archive(("Contents/section0.xml", NUMBER.encode()))) is None


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16-le"])
def test_a_number_in_any_other_file_is_found(encoding: str) -> None:
    assert kept("a.hwp", b"\x00\xff" + NUMBER.encode(encoding) + b"\x00") is None


def test_a_text_is_stored_masked_and_another_as_it_is() -> None:
    found = kept("a.log", f"가 {NUMBER}\n나".encode("cp949"), "text/plain")
    assert found is not None and "1234568" not in found.decode() and "나" in found.decode()
    assert kept("a.log", "그대로".encode("cp949"), "text/plain") == "그대로".encode("cp949")


@pytest.mark.slow
def test_bombs_are_neither_unpacked_nor_fatal() -> None:
    bomb = archive(*((f"{n}.xml", b"0" * 10_000_000) for n in range(8)))
    assert kept("a.zip", bomb) == bomb
    assert kept("a.xlsx", bomb) is None
    assert kept("a.xlsx", b"PK\x03\x04 damaged") is None
    assert kept("a.xlsx", archive(*((f"{n}.xml", b"x") for n in range(400)))) is None
