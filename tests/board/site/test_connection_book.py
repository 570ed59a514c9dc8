from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardia.addresses import parse_networks
from guardia.board.site.connection_book import Bounds, ConnectionBook, Phase, Slot

SECONDS = {Phase.HEAD: 10.0, Phase.BODY: 30.0, Phase.IDLE: 20.0, Phase.UPLOAD: 40.0}
PROXY = "10.0.0.1"


def book(total: int = 20, per_address: int = 10) -> ConnectionBook:
    return ConnectionBook(Bounds(total, per_address, SECONDS), parse_networks(PROXY))


def admitted(kept: ConnectionBook, address: str, now: float, ended: list[Slot]) -> Slot | None:
    slot = kept.admit(address, now)
    if slot is not None:
        slot.end = lambda: ended.append(slot)
    return slot


def test_a_full_book_ends_the_connection_that_has_waited_longest() -> None:
    kept, ended = book(), []  # type: ignore[var-annotated]
    first, *_ = [admitted(kept, "10.9.9.9", float(n), ended) for n in range(10)]
    assert admitted(kept, "10.9.9.9", 10.0, ended) is not None
    assert ended == [first] and len(kept) == 10


def test_what_is_being_answered_is_never_ended() -> None:
    kept, ended = book(), []  # type: ignore[var-annotated]
    for n in range(10):
        slot = admitted(kept, "10.9.9.9", float(n), ended)
        assert slot is not None
        kept.enter(slot, Phase.ANSWER, n + 0.5)
    assert admitted(kept, "10.9.9.9", 99.0, ended) is None and ended == []
    assert admitted(kept, "10.9.9.8", 99.0, ended) is not None


def test_a_signed_in_persons_connection_is_the_last_to_be_ended() -> None:
    kept, ended = book(per_address=2), []  # type: ignore[var-annotated]
    known, stranger = (admitted(kept, "10.9.9.9", n, ended) for n in (1.0, 2.0))
    assert known is not None
    known.is_known = True
    third = admitted(kept, "10.9.9.9", 3.0, ended)
    assert third is not None and ended == [stranger]
    third.is_known = True
    assert admitted(kept, "10.9.9.9", 4.0, ended) is not None
    assert ended == [stranger, known]


def test_a_proxy_may_use_all_places_and_this_host_has_some_of_its_own() -> None:
    kept, ended = book(total=20, per_address=10), []  # type: ignore[var-annotated]
    for n in range(12):
        slot = admitted(kept, PROXY, float(n), ended)
        assert slot is not None
        kept.enter(slot, Phase.ANSWER, float(n))
    assert admitted(kept, PROXY, 20.0, ended) is None
    assert all(admitted(kept, "127.0.0.1", 20.0, ended) for _ in range(8)) and ended == []


def test_each_phase_has_its_own_time() -> None:
    kept, ended = book(), []  # type: ignore[var-annotated]
    slots = {phase: admitted(kept, "10.9.9.9", 0.0, ended) for phase in Phase}
    for phase, slot in slots.items():
        assert slot is not None
        kept.enter(slot, phase, 0.0)
    left = []
    for now in (9.0, 11.0, 21.0, 31.0, 41.0, 1e9):
        kept.end_overdue(now)
        left.append(len(kept))
    assert left == [5, 4, 3, 2, 1, 1]
    assert ended == [slots[p] for p in (Phase.HEAD, Phase.IDLE, Phase.BODY, Phase.UPLOAD)]


moves = st.lists(
    st.tuples(st.sampled_from(["10.1.1.1", "10.1.1.2", PROXY]), st.sampled_from(Phase)),
    max_size=120,
)


@given(moves=moves)
def test_no_order_of_events_exceeds_a_bound(moves: list[tuple[str, Phase]]) -> None:
    kept, open_slots = book(total=16, per_address=5), []  # type: ignore[var-annotated]
    ended: list[Slot] = []
    for now, (address, phase) in enumerate(moves):
        slot = admitted(kept, address, float(now), ended)
        if slot is not None:
            open_slots.append(slot)
            kept.enter(slot, phase, float(now))
        alive = [s for s in open_slots if s not in ended]
        assert len(alive) == len(kept) <= 8
        assert all(sum(s.address == a for s in alive) <= 5 for a in ("10.1.1.1", "10.1.1.2"))
        assert not any(s.phase is Phase.ANSWER for s in ended)
    for slot in open_slots:
        kept.remove(slot)
    assert len(kept) == 0
