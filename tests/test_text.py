"""Foreign text: which characters are kept, and which texts count as blank."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from guardia.board.audit import canonical
from guardia.text import (
    MAX_REASON,
    Body,
    CleanObject,
    CleanStr,
    Name,
    Reason,
    Title,
    clean,
    clean_json,
    first_line,
    fold,
    is_blank,
    matching_form,
    trim,
)

TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u180b\u180e\u200b\u200c\u200d\u2028\u2029\u2060\u2064\u2800"
    "\u3000\u3164\ufe0f\ufeff\uffa0\ufff9\U0001d159\U000e0001\U000e0041\U000e0100"
)
texts = st.text(st.characters(), max_size=60)  # lone surrogates included


@given(texts)
def test_clean_text_contains_no_hidden_character(text: str) -> None:
    kept = clean(text)
    assert not set(kept) & set(TURNING)
    assert {c for c in kept if unicodedata.category(c) in {"Cc", "Cs"}} <= set("\t\n\r")
    assert unicodedata.is_normalized("NFC", kept)
    assert kept.encode("utf-8") and clean(kept) == kept if kept else True


@pytest.mark.slow
def test_the_log_leaves_clean_text_as_it_is() -> None:
    """The log's own rule is frozen by its format; both rules agree on every character."""
    everything = [chr(c) for c in range(sys.maxunicode + 1)]
    assert [c for c in everything if canonical.clean(c) != clean(c)] == []


@given(texts)
def test_the_log_leaves_every_clean_text_as_it_is(text: str) -> None:
    assert canonical.clean(text) == clean(text) == canonical.clean(clean(text))


@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧‍👦 가족", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️ 각 ㄱ", "عربي", "a\u200bb", "a\tb\r\nc"]
)
def test_emoji_hangul_and_other_scripts_stay_whole(text: str) -> None:
    assert clean(text) == trim(text) == unicodedata.normalize("NFC", text)


def test_json_is_cleaned_with_its_keys_and_keeps_its_numbers() -> None:
    given_value = {"가\x00": ["a\u202e", 1.5, None, True, ("b\x1b",)], "n": 3}
    assert clean_json(given_value) == {"가": ["a", 1.5, None, True, ["b"]], "n": 3}


@pytest.mark.parametrize("character", INVISIBLE + TURNING + "\x00\x07\x7f\x85 \t\n\u00a0")
def test_a_text_of_invisible_characters_is_blank(character: str) -> None:
    assert is_blank(character * 3) and trim(f" {character}{character}\n") == ""
    assert not is_blank(f"{character}가") and not is_blank(f".{character}")


@pytest.mark.parametrize("text", [".", "가", "ㄱ", "?", "́", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\ue000", "0"])
def test_what_shows_anything_is_not_blank(text: str) -> None:
    assert not is_blank(text) and trim(text) == text


def test_hangul_letters_are_visible() -> None:
    assert not any(map(is_blank, map(chr, range(0xAC00, 0xD7A4))))


@given(texts, st.integers(0, 70))
def test_trimmed_text_is_bounded_and_shows_something_or_is_empty(text: str, limit: int) -> None:
    kept = trim(text, limit)
    assert len(kept) <= limit and kept in text and (not kept or not is_blank(kept))
    assert not kept or not (kept[0].isspace() or kept[0] in TURNING)
    assert trim(text) == "" or not is_blank(text)


def test_the_first_line_is_the_first_that_shows_something() -> None:
    assert first_line("\u200b\n \n제목\n본문") == "제목" and first_line("\u2800\n") == ""


@given(texts)
def test_every_type_gives_clean_text(text: str) -> None:
    for kind in (CleanStr, Name):
        found = TypeAdapter(kind).validate_python(text)
        assert clean(found) == found
    for bounded in (Reason, Title, Body):
        try:
            found = TypeAdapter[Any](bounded).validate_python(text)
        except ValidationError as error:
            assert error.errors()[0]["type"] == "string_unicode", "a lone surrogate"
        else:
            assert clean(found) == found
    assert TypeAdapter[Any](CleanObject).validate_python({"a": [text]}) == {"a": [clean(text)]}


def test_types_trim_and_bound() -> None:
    reason: TypeAdapter[str] = TypeAdapter(Reason)
    assert reason.validate_python(" 사유\u202e \x00") == "사유"
    assert reason.validate_python("\u200b\u2800 ") == ""
    with pytest.raises(ValidationError) as refused:
        reason.validate_python("가" * (MAX_REASON + 1))
    assert refused.value.errors()[0]["type"] == "string_too_long"
    assert TypeAdapter(Name).validate_python("\u3164") == ""
    assert TypeAdapter(Body).validate_python(" 본문\x07 ") == " 본문 "


@pytest.mark.parametrize(
    "written",
    [
        "\uff2d\uff2f\uff25\uff0d\uff24\uff22\uff0d\uff10\uff11",
        "MOE\u2011DB\u201001",
        "moe\u2013db\u201401",
        "MOE\u2212DB\ufe6301",
        "MOE\u3161DB\u30fc01",
        "\u200bM\u200dO\ufeffE-\u00adDB-\ufe0f01\U000e0041",
        "\u202eMOE\u202c-D\u034fB-\u31640\u115f1",
        "MO\x00E-DB-01",
        "MOE-DB-01\ud800",
    ],
)
def test_what_looks_the_same_matches(written: str) -> None:
    assert matching_form(written) == "moe-db-01"


def test_folding_keeps_what_is_read() -> None:
    assert fold("서버가 안 돼요ㅠㅠ\n확인\t바랍니다") == "서버가 안 돼요ㅠㅠ\n확인\t바랍니다"
    assert fold("\u110c\u1165\u11bc\u110c\u1175") == "정지"
    assert fold("1\u301c2") == "1~2" and fold("가\u318d나") == "가·나"


@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert matching_form(matching_form(text)) == matching_form(text)
    assert not any(is_blank(c) and not c.isspace() for c in fold(text))


def test_stacked_marks_are_bounded() -> None:
    stacked = "a" + "\u0315\u0300\u05ae" * 30_000
    assert len(clean(stacked)) < 100 and len(fold(stacked)) < 100
    assert canonical.clean(clean(stacked)) == clean(stacked)
