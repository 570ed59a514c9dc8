"""Quotes are sentences of the passage at their own place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardia.knowledge.retrieval.quoting import quotes, sentences

TEXT = (
    "df로 확인합니다. 버전은 1.2입니다.\n| 이름 | 값 |\n| --- | --- |\n| 포트 | 8443 |\n\n끝입니다"
)


def shown(text: str) -> list[str]:
    return [text[begin:end] for begin, end in sentences(text)]


def test_sentences_and_lines_of_a_table() -> None:
    assert shown(TEXT) == [
        "df로 확인합니다.", "버전은 1.2입니다.", "| 이름 | 값 |", "| 포트 | 8443 |", "끝입니다",
    ]  # fmt: skip


@given(st.text(alphabet="가나. \n|!-", max_size=60))
def test_sentences_are_in_order_and_lose_no_letter(text: str) -> None:
    spans = sentences(text)
    assert spans == sorted(spans) and all(b < e for b, e in spans)
    letters = "".join(c for begin, end in spans for c in text[begin:end] if c in "가나")
    assert letters == "".join(c for c in text if c in "가나")


def test_the_sentence_that_shares_most_is_quoted() -> None:
    found = quotes(TEXT, ["포트"], lambda words: float(len(words)))
    assert [TEXT[b:e] for b, e in found] == ["| 포트 | 8443 |"]
    assert quotes(TEXT, ["없는"], lambda words: float(len(words))) == [(0, 10)]
    assert quotes("", ["포트"], lambda words: 1.0) == []
