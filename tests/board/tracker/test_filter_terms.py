"""The grammar of the issue filter, and the periods that it names."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.labels import SEOUL
from guardia.board.tracker import filter_terms
from guardia.board.tracker.filter_dates import Period, read_period
from guardia.board.tracker.filter_terms import parse, quoted

TODAY = date(2026, 11, 30)


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=SEOUL)


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("is:open", [("is", ("open",), False)]),
        ("-is:open", [("is", ("open",), True)]),
        ("IS:open", [("is", ("open",), False)]),
        ('assignee:"김 철수"', [("assignee", ("김 철수",), False)]),
        ("status:manual,approved", [("status", ("manual", "approved"), False)]),
        ('institution:"a,b",c', [("institution", ("a,b", "c"), False)]),
        ("담당자:나", [("assignee", ("나",), False)]),
        ("requester:cus", [("author", ("cus",), False)]),
        ("assignee：me", [("assignee", ("me",), False)]),
        ("느려요 -디스크", [("", ("느려요",), False), ("", ("디스크",), True)]),
        ('"is:open"', [("", ("is:open",), False)]),
        ("“두 단어”", [("", ("두 단어",), False)]),
        ("10:30 http://a.b/c ORA-00600:", [
            ("", ("10:30",), False), ("", ("http://a.b/c",), False), ("", ("ORA-00600:",), False),
        ]),
        ("-", [("", ("-",), False)]),
        ("created:>=2026-11-01", [("created", (">=2026-11-01",), False)]),
        ("", []),
    ],
)  # fmt: skip
def test_terms(words: str, terms: list[tuple[str, tuple[str, ...], bool]]) -> None:
    found, problems = parse(words)
    assert [(one.key, one.values, one.negated) for one in found] == terms
    assert problems == []


@pytest.mark.parametrize(
    ("words", "name", "near"),
    [
        ("asignee:me", "key", "assignee:"),
        ("error:timeout", "key", "is:"),
        ('"open', "quote", ""),
        ('is:""', "value", ""),
        (" ".join(f"w{n}" for n in range(21)), "too_many", ""),
    ],
)
def test_terms_that_mean_nothing_are_named(words: str, name: str, near: str) -> None:
    _terms, problems = parse(words)
    assert [one.name for one in problems] == [name]
    assert near in problems[0].words.get("near", "")


@given(st.text(max_size=80))
def test_any_text_is_parsed(words: str) -> None:
    terms, problems = parse(words)
    assert len(terms) <= filter_terms.MAX_TERMS
    assert all(one.values and all(one.values) for one in terms)
    assert all(one.written for one in problems)


@given(st.sampled_from(filter_terms.KEYS), st.text("가나a1 ,:-", min_size=1, max_size=12))
def test_a_quoted_value_is_read_as_it_was(key: str, value: str) -> None:
    if not value.strip(" "):
        return
    found, problems = parse(f"{key}:{quoted(value.strip())}")
    assert (problems, [one.values for one in found]) == ([], [(value.strip(),)])


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("2026-11-01", day(2026, 11, 1), day(2026, 11, 2)),
        ("2026-12", day(2026, 12, 1), day(2027, 1, 1)),
        ("2026", day(2026, 1, 1), day(2027, 1, 1)),
        (">=2026-11-01", day(2026, 11, 1), None),
        (">2026-11-01", day(2026, 11, 2), None),
        ("<2026-11-01", None, day(2026, 11, 1)),
        ("<=2026-11-01", None, day(2026, 11, 2)),
        ("2026-11-01..2026-11-03", day(2026, 11, 1), day(2026, 11, 4)),
        ("*..2026-11-03", None, day(2026, 11, 4)),
        ("2026-11-01..*", day(2026, 11, 1), None),
        ("@today", day(2026, 11, 30), day(2026, 12, 1)),
        (">=@today-7d", day(2026, 11, 23), None),
        ("오늘-1주", day(2026, 11, 23), day(2026, 11, 24)),
        (">=2026-11-01T09:30:00", datetime(2026, 11, 1, 9, 30, tzinfo=SEOUL), None),
    ],
)
def test_periods(value: str, start: datetime | None, end: datetime | None) -> None:
    assert read_period(value, TODAY) == Period(start, end)


@pytest.mark.parametrize("value", ["gestern", "2026-13-01", "2026-02-30", "..", "2026..2025", ">="])
def test_what_is_no_period_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_period(value, TODAY)
