"""Rooms on duty: where an emergency is written in addition to calling people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class DutyRoom(NamedTuple):
    """A room of a channel; `channel` is empty for that of the issue or the first messenger."""

    channel: str
    room: str


Resolve = Callable[[Sequence[str]], Sequence[DutyRoom]]
"""Finds the channel of each room that the org chart lists, and rooms of channels it forgot."""


def as_listed(names: Sequence[str]) -> list[DutyRoom]:
    """Return the listed rooms, without regard to the channels of the installation."""
    return [DutyRoom("", name) for name in dict.fromkeys(names)]
