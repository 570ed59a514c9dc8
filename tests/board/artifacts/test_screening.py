"""What is kept of a file, and under which name."""

from __future__ import annotations

import pytest

from guardia.board.artifacts import screening


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("보고서.pdf", "보고서.pdf"),
        ("보고서.pdf.exe", "보고서.pdf.exe.txt"),
        ("a.LNK", "a.LNK.txt"),
        ("설치.exe. ", "설치.exe.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\점검.xlsx", "점검.xlsx"),
        ("con.txt", "_con.txt"),
        ("<b>:|?*.txt", "_b_____.txt"),
        ("js", "js"),
        ("...", ""),
        ("\x7f.bashrc", "bashrc"),
        (". \x85..\x7f a.txt", "a.txt"),
        ("설치.exe.\x7f", "설치.exe.txt"),
    ],
)
def test_a_name_that_a_double_click_would_run_opens_as_text(name: str, kept: str) -> None:
    assert screening.safe_name(name) == kept


def test_a_long_name_keeps_its_ending() -> None:
    kept = screening.safe_name("가" * 300 + ".hwp")
    assert len(kept) <= screening.MAX_NAME and kept.endswith(".hwp")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"GIF89a....", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"RIFF....WAVE", None),
        (b"<svg xmlns='x'>", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content: bytes, kind: str | None) -> None:
    assert screening.image_type(content) == kind


def test_resident_numbers_are_masked_in_texts_and_refused_elsewhere() -> None:
    kept, reason = screening.kept_content("a.txt", "", "번호 900101-1234567".encode())
    assert kept is not None and b"1234567" not in kept and reason == ""
    hidden = screening.kept_content("a.bin", "application/octet-stream", b"\x00900101-1234567\x00")
    assert hidden == (None, "personal")
