"""Resolve the rooms on duty of the org chart to the messengers of this installation."""

from __future__ import annotations

from collections.abc import Sequence

from guardia.board.intake.channels import Channel, RoomChannel
from guardia.board.intake.registry import CHANNELS
from guardia.board.notifications.rooms import DutyRoom
from guardia.settings import Settings


def duty_rooms(settings: Settings, listed: Sequence[str]) -> list[DutyRoom]:
    """Return every room that an emergency goes to: at least one of each open messenger.

    A listed room may name its channel (`slack:C0123ABCD`); without, it is one of the first open
    messenger. A messenger of which no room is listed gets it in its default room. One without a
    default fails, which the list of deliveries shows with the reason.
    """
    opened = open_messengers(settings)
    first = opened[0] if opened else ""
    found = [_room(name, first) for name in dict.fromkeys(listed)]
    reached = {room.channel for room in found}
    if _alerts_have_webhook(settings):
        # The alert itself goes there.
        reached.add(CHANNELS[0].name)
    return [*found, *(DutyRoom(name, "") for name in opened if name not in reached)]


def open_messengers(settings: Settings) -> list[str]:
    """Return the names of the messengers that can write to rooms, in the registry's order."""
    return [c.name for c in _messengers() if getattr(settings, c.rooms_opened_by) is not None]


def only_in_rooms(settings: Settings) -> bool:
    """Return whether alerts have no webhook of their own, but rooms of a messenger."""
    return not _alerts_have_webhook(settings) and bool(open_messengers(settings))


def _alerts_have_webhook(settings: Settings) -> bool:
    return settings.alert_url is not None


def _messengers() -> list[RoomChannel]:
    return [channel for channel in CHANNELS if isinstance(channel, RoomChannel)]


def _room(listed: str, first: str) -> DutyRoom:
    name, colon, room = listed.partition(":")
    known: Sequence[Channel] = _messengers()
    if colon and room.strip() and name.strip() in {channel.name for channel in known}:
        return DutyRoom(name.strip(), room.strip())
    return DutyRoom(first, listed)
