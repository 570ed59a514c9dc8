"""Bytes under right, wrong and unknown names of character sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.artifacts.charsets import decode

KOREAN = "똠방각하 펲시 콜라, 서버가 느립니다 123"


NAMES = [
    "euc-kr",
    "EUC_KR",
    "ks_c_5601-1987",
    "KSC5601",
    "KSC_5601",
    "ksc-5601",
    "csEUCKR",
    "x-euc-kr",
    "iso-ir-149",
    "windows-949",
    "x-windows-949",
    "cp949",
    "MS949",
    "uhc",
    "korean",
    "utf-8",
    "us-ascii",
    "unknown-8bit",
    "x-unknown",
    "iso-8859-1",
    "windows-1252",
    "latin1",
    "gibberish",
    "",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("encoding", ["cp949", "utf-8"])
def test_korean_is_read_under_any_name(name: str, encoding: str) -> None:
    assert decode(KOREAN.encode(encoding), name) == KOREAN


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("서버 점검", "iso2022_kr"),
        ("café à Genève", "iso-8859-1"),
        ("Grüße", "windows-1252"),
        ("サーバー", "iso-2022-jp"),
        ("服务器", "gb18030"),
        ("서버", "utf-16"),
        ("韓國電算院", "cp949"),
        ("가", "cp949"),
    ],
)
def test_a_right_name_counts(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), encoding) == text


@given(st.binary(max_size=200), st.text(max_size=20))
def test_anything_is_read(data: bytes, name: str) -> None:
    assert isinstance(decode(data, name), str)


@pytest.mark.parametrize("name", ["idna", "punycode", "unicode_escape", "zlib", "hex", "undefined"])
def test_codecs_that_are_no_character_set_are_not_used(name: str) -> None:
    assert decode(b"\\u0041xn--\xb0\xa1", name) == "\\u0041xn--가"
