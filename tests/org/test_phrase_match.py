"""Phrases are found in any spacing, form and inflection, and in bounded time."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardia.org.phrase_match import contains_phrase, split_words

SYLLABLES = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1)
LATIN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=1)
PHRASES = st.lists(SYLLABLES.filter(lambda s: len(s) <= 8), min_size=1, max_size=4).map(" ".join)
FORMS = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])
INVISIBLE = "\u200b\u200d\u00ad\u202e\u2066\ufeff"


@settings(max_examples=40)
@given(phrase=PHRASES, form=FORMS, before=SYLLABLES, after=SYLLABLES)
def test_a_phrase_is_found_in_every_form_of_it(
    phrase: str, form: str, before: str, after: str
) -> None:
    for written in (phrase, phrase.replace(" ", ""), phrase.replace(" ", " . "), f"{phrase}."):
        hidden = "".join(c + INVISIBLE[n % len(INVISIBLE)] for n, c in enumerate(written))
        for text in (written, f"{before}{written} {after}", hidden):
            assert contains_phrase(unicodedata.normalize(form, text), [phrase])


@given(phrase=PHRASES, particle=st.sampled_from(["이", "가", "을", "에서", "까지"]))
def test_a_particle_is_allowed_between_words(phrase: str, particle: str) -> None:
    assert contains_phrase(phrase.replace(" ", f"{particle} "), [phrase])


@given(stem=SYLLABLES, final=st.sampled_from("ㄴㄹㅁㅂㅆ"))
def test_a_final_vowel_also_matches_with_a_final_consonant(stem: str, final: str) -> None:
    open_stem = unicodedata.normalize("NFD", stem)
    open_stem = open_stem[:-1] if "\u11a8" <= open_stem[-1] <= "\u11ff" else open_stem
    closed = (
        open_stem + dict(zip("ㄴㄹㅁㅂㅆ", "\u11ab\u11af\u11b7\u11b8\u11bb", strict=True))[final]
    )
    assert contains_phrase(
        unicodedata.normalize("NFC", closed), [unicodedata.normalize("NFC", open_stem)]
    )


@given(word=LATIN, around=LATIN)
def test_latin_words_and_numbers_are_matched_whole(word: str, around: str) -> None:
    assert contains_phrase(f"{word.upper()}가 이상해요", [word])
    assert contains_phrase("".join(chr(ord(c) + 0xFEE0) for c in word), [word])
    assert not contains_phrase(around + "가" + around, ["z" + around])
    joined = around + word + around
    assert not contains_phrase(joined, [word])


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("feedback", "DB"),
        ("DB2", "DB"),
        ("빠르다", "느리"),
        ("응답 서버 없", "응답 없"),
        ("", "가"),
    ],
)
def test_a_different_phrase_is_not_found(text: str, phrase: str) -> None:
    assert not contains_phrase(text, [phrase])


def test_no_phrase_finds_nothing_and_signs_are_no_words() -> None:
    assert not contains_phrase("가", [])
    assert split_words("!? …") == []
    assert split_words("95%") == ["95%"]


@given(st.text(max_size=300), PHRASES)
@pytest.mark.slow
def test_no_text_breaks_it(text: str, phrase: str) -> None:
    assert contains_phrase(text, [phrase]) in (True, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "phrase"),
    [
        ("가", "가 가 가 나"),
        ("이 ", "이 이 이 나"),
        ("에서에", "에서 에 에서 나"),
        ("\ufdfa", "가 나"),
        ("- ", "가"),
    ],
)
def test_the_cost_of_a_hostile_text_is_bounded(unit: str, phrase: str) -> None:
    """Text beyond the part that is read has no effect, and that part is short."""
    assert not contains_phrase(unit * 5_000_000, [phrase] * 40)
    assert not contains_phrase(unit * 2_000 + "나" * 10, [phrase])
