"""Tests of parsing and finding issue references."""

from __future__ import annotations

import pytest

from guardia.board.core.issue_ref import (
    find_issue_ref,
    is_issue_ref,
    issue_ref,
    parse_issue_ref,
)
from guardia.board.core.model import Issue


@pytest.mark.parametrize("text", ["12", "SR-12", "sr-12", "#12", issue_ref(12)])
def test_a_number_is_read_as_people_write_it(text: str) -> None:
    assert is_issue_ref(text)
    assert parse_issue_ref(text) == 12


@pytest.mark.parametrize("text", ["", "SR-", "#", "x12", "12x", "SR 12", "-12", "1.5", "12 "])
def test_other_words_are_no_references(text: str) -> None:
    assert not is_issue_ref(text)
    assert parse_issue_ref(text) is None


def test_a_number_that_no_issue_can_have_names_none() -> None:
    assert parse_issue_ref("SR-" + "9" * 18) == int("9" * 18)
    assert is_issue_ref("9" * 19)
    assert parse_issue_ref("9" * 19) is None


def test_a_reference_is_found_in_a_sentence_whatever_particle_follows() -> None:
    assert find_issue_ref("SR-12로 접수했습니다. SR-3과 같습니다.") == 12
    assert find_issue_ref("접수하지 않았습니다.") is None


def test_an_issue_knows_its_reference() -> None:
    assert Issue(sr_id=12).ref == "SR-12"
