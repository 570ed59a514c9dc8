"""Which connections a board process keeps: a bound in all, and one for each client address.

A full book makes room by ending the connection that has waited longest for its client: to
complete a request, or to send the next one. So half-open connections cannot shut anyone out, and
requests that are being answered are never ended. Pure: it knows neither sockets nor HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from guardia.addresses import IPNetwork, is_within, parse_address

_LOOPBACK_RESERVE = 8
"""Places that only this host gets, for its health checks and its operator."""


class Phase(Enum):
    """What a connection is doing."""

    HEAD = "head"
    """It has not sent the head of a request yet."""
    BODY = "body"
    """It has not sent the whole body yet."""
    UPLOAD = "upload"
    """A person who is signed in is sending a file."""
    ANSWER = "answer"
    """Its request is being answered, or its stream is open."""
    IDLE = "idle"
    """It is kept for a next request."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be, and for how many seconds one may wait for its client."""

    total: int
    per_address: int
    seconds: dict[Phase, float]


@dataclass(eq=False, slots=True)
class Slot:
    """One connection."""

    address: str
    exempt: bool
    """Whether it is a trusted proxy's, which carries the connections of many."""
    since: float
    phase: Phase = Phase.HEAD
    is_known: bool = False
    """Whether a person who is signed in has used it."""
    end: Callable[[], None] = field(default=lambda: None)
    """Ends the connection at once."""


class ConnectionBook:
    """The connections of a process, in the order in which they began to wait."""

    def __init__(self, bounds: Bounds, proxies: tuple[IPNetwork, ...] = ()) -> None:
        self._bounds, self._proxies = bounds, proxies
        self._slots: dict[Slot, None] = {}
        self._by_address: dict[str, dict[Slot, None]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def admit(self, address: str, now: float) -> Slot | None:
        """Return a place for a new connection, or `None` if all others are being answered."""
        same = self._by_address.get(address, {})
        slot = Slot(address, is_within(parse_address(address), self._proxies), now)
        if not slot.exempt and len(same) >= self._bounds.per_address and not self._end_one(same):
            return None
        if len(self._slots) >= self._room_for(address) and not self._end_one(self._slots):
            return None
        self._slots[slot] = None
        self._by_address.setdefault(address, {})[slot] = None
        return slot

    def enter(self, slot: Slot, phase: Phase, now: float) -> None:
        """Note that a connection does something else from now on."""
        if slot not in self._slots or slot.phase is phase:
            return
        slot.phase, slot.since = phase, now
        for order in (self._slots, self._by_address[slot.address]):
            del order[slot]
            order[slot] = None

    def remove(self, slot: Slot) -> None:
        """Forget a connection that has ended."""
        if self._slots.pop(slot, slot) is None:
            same = self._by_address[slot.address]
            del same[slot]
            if not same:
                del self._by_address[slot.address]

    def end_overdue(self, now: float) -> int:
        """End the connections whose client has taken too long; return how many."""
        seconds = self._bounds.seconds
        late = [s for s in self._slots if now - s.since > seconds.get(s.phase, float("inf"))]
        for slot in late:
            self._end(slot)
        return len(late)

    def _room_for(self, address: str) -> int:
        found = parse_address(address)
        local = found is not None and found.is_loopback
        return self._bounds.total - (0 if local else _LOOPBACK_RESERVE)

    def _end_one(self, slots: dict[Slot, None]) -> bool:
        """End the connection that has waited longest, a signed-in person's last of all."""
        known = None
        for slot in slots:
            if slot.phase in {Phase.ANSWER, Phase.UPLOAD}:
                continue
            if not slot.is_known:
                self._end(slot)
                return True
            known = known or slot
        if known is not None:
            self._end(known)
        return known is not None

    def _end(self, slot: Slot) -> None:
        self.remove(slot)
        slot.end()
