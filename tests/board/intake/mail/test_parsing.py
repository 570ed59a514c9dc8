"""Mails as Korean mail programs write them, and as no program should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.artifacts.screening import safe_name
from guardia.board.intake.mail.message import MAX_NAMED, MAX_ORIGINAL, InboundMail
from guardia.board.intake.mail.parsing import parse_mail
from guardia.text import clean

CASES = Path(__file__).with_name("cases")
EXPECTED: dict[str, dict[str, Any]] = json.loads((CASES / "expected.json").read_text("utf-8"))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mail_of_a_real_program_is_read(name: str) -> None:
    mail = parse_mail((CASES / f"{name}.eml").read_bytes())
    found: dict[str, Any] = {
        "subject": mail.subject,
        "name": mail.name,
        "text": mail.text,
        "address": mail.address,
        "files": [one.name for one in mail.attachments],
    }
    assert {key: found[key] for key in EXPECTED[name]} == EXPECTED[name]
    assert mail.nature == "personal"


def test_the_whole_text_is_kept_beside_what_was_written() -> None:
    mail = parse_mail((CASES / "outlook_korean_reply.eml").read_bytes())
    assert "Original Message" in mail.original and "Original Message" not in mail.text


def test_what_a_reader_does_not_see_is_in_no_text() -> None:
    hidden = [
        '<div style="display:none">숨김</div>',
        '<p style="font-size:0px">숨김</p>',
        '<span style="color:#fff">숨김</span>',
        '<span style="color: red; background-color: red">숨김</span>',
        '<font color="white">숨김</font>',
        '<div style="visibility: hidden">숨김</div>',
        '<div style="max-height:0;overflow:hidden">숨김</div>',
        '<div style="position:absolute;left:-9999px">숨김</div>',
        "<script>숨김</script><style>숨김</style><title>숨김</title><!-- 숨김 -->",
        '<div hidden>숨김</div><img src="http://t/x.gif" alt="숨김" width=1 height=1>',
        '<a href="http://숨김.kr">링크</a>',
    ]
    for part in hidden:
        html = f"<html><body><p>보이는 글</p>{part}<p>끝</p></body></html>"
        mail = parse_mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())
        assert "보이는 글" in mail.text and "끝" in mail.text, part
        assert "숨김" not in mail.text, part


def test_a_table_keeps_its_rows() -> None:
    html = "<table><tr><td>서버</td><td>상태</td></tr><tr><td>WAS-01</td><td>중지</td></tr></table>"
    text = parse_mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode()).text
    assert [line.split() for line in text.splitlines()] == [["서버", "상태"], ["WAS-01", "중지"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: text/plain; charset=idna\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800",
        b"Content-Type: text/plain; charset=zlib\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 50_000 + b"x",
        b"Content-Type: text/html\r\n\r\n<?xml version='1.0' encoding='x'?><p>a\x00b",
        b"From: " + b"=?" * 9000 + b"\r\n\r\nx",
        b"From: " + b"(" * 15_000 + b"\r\n\r\nx",
        b'From: "' + b"\\" * 15_000 + b"\r\n\r\nx",
        b"Subject: =?utf-8?B?" + b"A" * 50_000 + b"?=\r\n\r\nx",
        b"References: " + b"<a@b>" * 50_000 + b"\r\n\r\nx",
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(3000)
        ),
        b"Content-Type: message/rfc822\r\n\r\n" * 3000,
        b"2026. 1, " * 100_000,
        b"On 2026. " * 100_000 + b"\r\n> x",
    ],
    ids=range(18),
)
def test_no_broken_mail_fails(raw: bytes) -> None:
    mail = parse_mail(raw)
    assert isinstance(mail, InboundMail) and mail.external_id
    assert clean(mail.text) == mail.text and len(mail.original) <= MAX_ORIGINAL


FIELDS = (
    "From To Cc Subject Message-ID In-Reply-To References Return-Path Content-Type Received"
    " Content-Disposition Content-Transfer-Encoding Authentication-Results Auto-Submitted"
    " Precedence List-Id MIME-Version"
)


@pytest.mark.parametrize("name", FIELDS.split())
@pytest.mark.parametrize(
    "value",
    [b"<\xff\xfe@x.kr>", b"\xb0\xa1; name=\xb0\xa1", b"<" + b"a" * 950 + b"\xff@x>", b"\x00"],
)
def test_raw_bytes_in_any_field_are_read(name: str, value: bytes) -> None:
    raw = name.encode() + b": " + value + b"\r\nFrom: kim@mof.go.kr\r\n\r\n\xbe\xc8"
    mail = parse_mail(raw)
    assert mail.external_id and mail.address in {"kim@mof.go.kr", ""}


@given(st.binary(max_size=400), st.sampled_from(sorted(EXPECTED)), st.integers(0, 3000))
@pytest.mark.slow
def test_no_damaged_mail_fails(noise: bytes, name: str, place: int) -> None:
    raw = (CASES / f"{name}.eml").read_bytes()
    mail = parse_mail(raw[:place] + noise + raw[place + len(noise) :])
    for text in (mail.text, mail.subject, mail.name, *(f.name for f in mail.attachments)):
        text.encode()  # no lone surrogate
        assert "\x00" not in text
        assert "\n" not in text or text is mail.text


def test_of_a_thousand_files_some_are_listed_and_all_are_counted() -> None:
    part = b"--b\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\nx\r\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 900 + b"--b--\r\n"
    mail = parse_mail(raw)
    assert len(mail.attachments) == MAX_NAMED
    assert len(mail.attachments) + mail.more_attachments == 900


@given(st.text(max_size=300))
@pytest.mark.slow
def test_a_file_name_is_always_safe(name: str) -> None:
    found = safe_name(name)
    assert not set('/\\:*?"<>|\r\n\x00') & set(found) and found not in {".", ".."}
    assert not found.startswith(".") and len(found) <= 130
