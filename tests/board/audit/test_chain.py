from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.audit.chain import ORIGIN, ChainEntry, verify

START = datetime(2026, 11, 20, 5, tzinfo=UTC)


def chain(length: int) -> list[ChainEntry]:
    made: list[ChainEntry] = []
    for n in range(1, length + 1):
        link = ChainEntry(
            seq=n,
            created_at=START + timedelta(microseconds=n),
            actor="agent:db-agent",
            kind="comment",
            sr_id=n % 3 or None,
            task_id=None,
            log_content=f"기록 {n}",
            detail={"n": n},
            previous_hash=made[-1].current_hash if made else ORIGIN,
        )
        made.append(replace(link, current_hash=link.hash()))
    return made


def test_an_untouched_chain_is_intact() -> None:
    links = chain(5)
    assert verify(links, size=5, head=links[-1].current_hash).intact
    assert verify([], size=0, head=ORIGIN).intact


CHANGES: dict[str, Callable[[ChainEntry], ChainEntry]] = {
    "created_at": lambda x: replace(x, created_at=x.created_at + timedelta(microseconds=0.5e6)),
    "actor": lambda x: replace(x, actor="agent:was-agent"),
    "kind": lambda x: replace(x, kind="approved"),
    "sr_id": lambda x: replace(x, sr_id=99),
    "task_id": lambda x: replace(x, task_id=99),
    "log_content": lambda x: replace(x, log_content="다른 말"),
    "detail": lambda x: replace(x, detail={"n": -1}),
    "previous_hash": lambda x: replace(x, previous_hash="f" * 64),
    "current_hash": lambda x: replace(x, current_hash="f" * 64),
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_change_of_any_field_is_reported(field: str) -> None:
    links = chain(5)
    links[2] = CHANGES[field](links[2])
    assert verify(links).bad == 3


@given(st.integers(2, 8), st.data())
def test_deletion_insertion_and_swap_are_reported(length: int, data: st.DataObject) -> None:
    links = chain(length)
    at = data.draw(st.integers(0, length - 2))
    gone = links[:at] + links[at + 1 :]
    doubled = [*links[: at + 1], links[at], *links[at + 1 :]]
    swapped = [*links[:at], links[at + 1], links[at], *links[at + 2 :]]
    head = links[-1].current_hash
    assert verify(gone, size=length, head=head).bad == at + 1
    assert verify(doubled, size=length, head=head).bad == at + 2
    assert verify(swapped, size=length, head=head).bad == at + 1


def test_a_truncated_tail_is_reported() -> None:
    links = chain(5)
    verdict = verify(links[:3], size=5, head=links[-1].current_hash)
    assert (verdict.bad, verdict.fault) == (4, "tail")


def test_a_chain_recomputed_after_an_edit_does_not_end_in_the_known_head() -> None:
    links = chain(4)
    head = links[-1].current_hash
    forged: list[ChainEntry] = []
    for link in links:
        before = forged[-1].current_hash if forged else ORIGIN
        text = "위조" if link.seq == 2 else link.log_content
        fresh = replace(link, log_content=text, previous_hash=before)
        forged.append(replace(fresh, current_hash=fresh.hash()))
    assert verify(forged).intact
    assert verify(forged, size=4, head=head).fault == "tail"
