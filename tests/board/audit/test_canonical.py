from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.audit.canonical import canonical, clean, digest, to_microseconds

texts = st.text(max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(values)
@pytest.mark.slow
def test_cleaned_values_survive_json_and_keep_their_bytes(value: Any) -> None:
    try:
        held = clean(value)
    except TypeError as error:
        assert "same text" in str(error)
        return
    assert canonical(json.loads(json.dumps(held))) == canonical(held)
    assert clean(held) == held


keys = st.sampled_from(["a", "b", "가", "z", "\uffff", "\U0001f600"]) | texts
unclean = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=5)
    ),
    max_leaves=12,
)


def _composed_key_by_key(value: Any) -> bytes:
    """Return the canonical bytes as RFC 8785 describes them, without any encoder that sorts."""
    return json.dumps(_in_order(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _in_order(value[key]) for key in keys}
    if isinstance(value, list):
        return [_in_order(each) for each in value]
    if isinstance(value, float):
        raise TypeError
    return value


marks = st.text(st.sampled_from('ae"\\n\u0301\u0303\u0338가\u1100\u1161\u11a8\n'), max_size=6)
marked = st.recursive(
    st.integers() | marks,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(marks, inner, max_size=4),
    max_leaves=8,
)


def _normalized(value: Any) -> Any:
    if isinstance(value, dict):
        return {_normalized(key): _normalized(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_normalized(each) for each in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@given(marked)
@pytest.mark.slow
def test_a_digest_is_that_of_the_normalized_value(value: Any) -> None:
    try:
        found = digest(value)
    except TypeError as error:
        assert "same text" in str(error)
        return
    whole = b"guardia.value.v1\n" + canonical(_normalized(value))
    assert found == hashlib.sha256(whole).hexdigest()


@given(unclean)
@pytest.mark.slow
def test_the_encoder_that_sorts_gives_the_same_bytes(value: Any) -> None:
    try:
        expected: bytes | type[Exception] = _composed_key_by_key(value)
    except (TypeError, UnicodeEncodeError) as error:
        expected = type(error)
    try:
        found: bytes | type[Exception] = canonical(value)
    except (TypeError, UnicodeEncodeError, ValueError) as error:
        found = type(error)
    if not _has_float_in_tuple(value):
        assert found == expected


def _has_float_in_tuple(value: Any, *, inside: bool = False) -> bool:
    """Return whether the reference and JSON's own rules differ: entries hold no tuples."""
    if isinstance(value, tuple):
        return any(_has_float_in_tuple(each, inside=True) for each in value)
    if isinstance(value, list | dict):
        each = value.values() if isinstance(value, dict) else value
        return any(_has_float_in_tuple(one, inside=inside) for one in each)
    return inside and isinstance(value, float)


@given(texts)
def test_composed_and_decomposed_text_have_one_digest(text: str) -> None:
    assert digest(unicodedata.normalize("NFD", text)) == digest(unicodedata.normalize("NFC", text))


def test_control_characters_are_dropped_from_entries_but_change_digests() -> None:
    assert clean("가\x1b[31m\x00나\n") == "가[31m나\n"
    assert digest("a\x08") != digest("a")


TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(text=texts, at=st.integers(0, 20), sign=st.sampled_from(TURNING + "\x9b\x7f"))
def test_only_bidirectional_controls_are_dropped(text: str, at: int, sign: str) -> None:
    assert clean(text[:at] + sign + text[at:]) == clean(text)
    assert digest(f"a{sign}") != digest("a")


@pytest.mark.parametrize("text", ["👩‍👩‍👧‍👦 가족", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️ 각 ㄱ", "عربي", "a\u200bb"])
def test_emoji_hangul_and_other_scripts_are_unchanged(text: str) -> None:
    assert clean(text) == unicodedata.normalize("NFC", text)


def test_approvers_read_the_text_that_is_executed() -> None:
    assert clean("rm \u202e/tmp/sgol\u202c") == "rm /tmp/sgol"


def test_keys_that_become_the_same_text_are_refused() -> None:
    with pytest.raises(TypeError):
        clean({"a": 1, "a\x08": 2})


keys = st.text(st.characters(codec="ascii"), max_size=9)


@given(st.dictionaries(keys, st.integers(), min_size=2, max_size=6))
def test_key_order_does_not_matter(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, "한글"]}, '{"a":[true,null,"한글"],"b":1}'),
        # RFC 8785 section 3.2.3: keys sort by UTF-16 code units, so U+1F600 before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
        ('"\\\n', '"\\"\\\\\\n"'),
    ],
)
def test_canonical_form_follows_rfc_8785(value: Any, expected: str) -> None:
    assert canonical(value).decode() == expected


@pytest.mark.parametrize("value", [1.5, {"a": 0.1}, object(), {"a": {1, 2}}])
def test_values_without_a_canonical_form_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        digest(value)


def test_time_is_counted_in_exact_microseconds() -> None:
    assert to_microseconds(datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)) == 1767225600000001
