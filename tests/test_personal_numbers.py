"""Personal numbers: what is masked in every spelling, and what only looks like one."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia import personal_numbers
from guardia.personal_numbers import (
    has_resident_number,
    mask_hyphenated_numbers,
    mask_personal_numbers,
    mask_resident_numbers,
)
from guardia.text import clean

FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "0123456789-"}
BETWEEN = (
    "-",
    "",
    " ",
    " - ",
    "\n",
    "-\n",
    "\u2013",
    "\u2011",
    "\u3161",
    "\u200b",
    "\u00a0",
    "%2D",
)


@st.composite
def resident_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """Return the two halves of a number, which need not have a valid checksum."""
    born = draw(st.dates(date(1921, 1, 1), date(2014, 12, 31)))
    seventh = draw(st.sampled_from("1256" if born.year < 2000 else "3478"))
    return f"{born:%y%m%d}", f"{seventh}{draw(st.integers(0, 999_999)):06}"


@given(
    resident_numbers(),
    st.sampled_from(BETWEEN),
    st.booleans(),
    st.sampled_from(["", "주민번호 ", "홍길동(", "rrn=", '{"id":"', "번호는 "]),
    st.sampled_from(["", " 입니다", ")", '"}', "입니다.", ".", ".pdf", ",서울"]),
)
def test_every_spelling_of_a_resident_number_is_masked(
    number: tuple[str, str], between: str, wide: bool, before: str, after: str
) -> None:
    written = between.join(number)
    written = written.translate(FULL_WIDTH) if wide else written
    kept = mask_resident_numbers(before + written + after)
    assert kept.count("*") == 6 and written not in kept
    assert (
        kept.startswith(before)
        and kept.endswith(after)
        and len(kept) == len(before + written + after)
    )
    assert mask_resident_numbers(kept) == kept and not has_resident_number(kept)
    assert mask_resident_numbers(clean(before + written + after)) == clean(before + written + after)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("주민등록번호: 900101-1234567", "주민등록번호: 900101-1******"),
        ("외국인 850712-6234567.", "외국인 850712-6******."),
        ("90.01.01-1234567", "90.01.01-1******"),
        ("9 0 0 1 0 1 - 1 2 3 4 5 6 7", "9 0 0 1 0 1 - 1 * * * * * *"),
        ("주민 900101/1234567", "주민 900101/1******"),
        ("주민등록번호900101_1234567", "주민등록번호900101_1******"),
        ("RRN900101-0234567", "RRN900101-0******"),
        ("No.900101-1234567", "No.900101-1******"),
        ("주민번호 1701234567890", "주민번호 1701234******"),
        ("900101-1234567 010203-3234567", "900101-1****** 010203-3******"),
        ("9001011234567,0102033234567", "9001011******,0102033******"),
    ],
)
def test_known_spellings(text: str, shown: str) -> None:
    assert mask_resident_numbers(text) == clean(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "order 901301-1234567",
        "900231-1234567",
        "app-900101-1234567-x",
        "app.log.240101-1234567",
        "backup_240101_1234567.dmp",
        "1701231234567",
        "1796000000000",
        "241130-101500",
        "2026-11-30T15:30:06.1234567Z",
        "0 0 101112 1234568 20512 90",
        "|240101|1234567|12|",
        "9001011234567abcdef",
        "130111-0006246",
        "192.168.101.112:5432",
        "15.2.3.1234567",
        "SR-1234567",
        "#900101",
        "02-1234-5678",
        "900101-12345678",
        "1900101-1234567",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert mask_resident_numbers(text) == text


@given(st.integers(0, 2**200), st.uuids(), st.datetimes(datetime(2001, 1, 1), datetime(2040, 1, 1)))
def test_hashes_and_times_stay(seed: int, some: uuid.UUID, when: datetime) -> None:
    sha = hashlib.sha256(str(seed).encode()).hexdigest()
    moment = when.replace(tzinfo=UTC)
    for text in (
        sha,
        str(some),
        moment.isoformat(),
        f"{moment:%Y%m%d%H%M%S}",
        f"{moment:%H%M%S.%f}",
    ):
        assert mask_personal_numbers(text) == text


@given(st.text(st.sampled_from("0123456789- \n가a.\uff0d\uff19"), max_size=60))
def test_masking_is_idempotent_and_changes_only_digits(text: str) -> None:
    for mask in (mask_resident_numbers, mask_personal_numbers, mask_hyphenated_numbers):
        once = mask(text)
        assert len(once) == len(text)
        assert all(b in {a, "*"} for a, b in zip(text, once, strict=True))
    assert mask_resident_numbers(mask_resident_numbers(text)) == mask_resident_numbers(text)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("카드 1234-5678-9012-3456", "카드 1234-****-****-3456"),
        ("4111 1111 1111 1111", "4111 **** **** 1111"),
        ("4111111111111111", "4111********1111"),
        ("3782-822463-10005", "3782-******-*0005"),
        ("면허 11-12-123456-78", "면허 11-12-******-**"),
        ("M123A4567", "M123A****"),
        ("여권 M12345678", "여권 M123*****"),
        ("전화 010-1234-5678", "전화 010-****-5678"),
        ("01012345678", "010****5678"),
        ("계좌 110-123-456789 신한", "계좌 ***-***-**6789 신한"),
        ("국민은행 123456-01-123456", "국민은행 ******-**-**3456"),
        ("담당 900101-1234567", "담당 900101-1******"),
    ],
)
def test_other_personal_numbers_are_masked_in_talk(text: str, shown: str) -> None:
    assert mask_personal_numbers(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "1024 2048 4096 8192",
        "S20241130",
        "1795237200123456",
        "99-12-123456-78",
        "02-123-4567",
        "10.1.2.3",
        "계좌 조회 500",
        "v1.2.3-4567",
    ],
)
def test_talk_keeps_other_numbers(text: str) -> None:
    assert mask_personal_numbers(text) == text


def test_outputs_that_a_program_reads_keep_bare_digits() -> None:
    assert mask_hyphenated_numbers("size 9001011234567 900101-1234567") == (
        "size 9001011234567 900101-1******"
    )


def test_characters_that_are_passed_over_stand_for_no_digit_or_dash() -> None:
    every = "".join(map(chr, (*range(0x80), *range(0xAC00, 0xD7A4)))) + "·…→"
    assert personal_numbers._UNCHANGED.fullmatch(every)
    assert "".join(map(personal_numbers._plain, every[0x80:])) == every[0x80:]
