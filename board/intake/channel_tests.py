"""Which channels are set up, what was sent through them last, and a test message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import OutboxEntry
from guardia.board.core.outbox import Route
from guardia.board.intake.registry import CHANNELS
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing
from guardia.i18n import t, t_default
from guardia.org.directory import PersonInfo
from guardia.settings import Settings
from guardia.text import trim

_RECEIVING = {
    "mattermost": ("messenger_token",),
    "slack": ("slack_signing_secret",),
    "jandi": ("jandi_token",),
    "mail": ("mail_address", "mail_imap"),
    "alertmanager": ("alertmanager_token",),
    "grafana": ("grafana_token", "grafana_secret"),
    "zabbix": ("zabbix_token",),
}
"""Settings of which one at least opens a channel."""
_SENDING = {
    "mattermost": ("messenger_url",),
    "slack": ("slack_token",),
    "jandi": ("jandi_url",),
    "mail": ("mail_smtp",),
}
"""Settings without which a channel sends nothing."""
_MAX_ROOM = 200


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel; secrets are never shown, only whether they are set."""

    name: str
    receives: bool
    sends: bool
    can_send: bool
    """Whether this kind of channel sends at all."""
    delivered_at: datetime | None
    failed_at: datetime | None
    error: str


def channels(board: BoardContext, by: PersonInfo | Actor, settings: Settings) -> list[ChannelRow]:
    """Return all channels with what happened to their last messages."""
    require_actor(by, "channel.read")
    o = OutboxEntry
    used = func.coalesce(func.nullif(o.medium, ""), o.channel)
    names = [channel.name for channel in CHANNELS]
    with board.database.reading() as session:
        found = {}
        for name in names:
            done = select(o.delivered_at).where(used == name, o.delivered_at.is_not(None))
            bad = select(o.created_at, o.last_error).where(used == name, o.last_error.is_not(None))
            last = session.scalar(done.order_by(o.outbox_id.desc()).limit(1))
            failed = session.execute(bad.order_by(o.outbox_id.desc()).limit(1)).one_or_none()
            found[name] = last, failed
    return [
        ChannelRow(
            name,
            _is_set(settings, _RECEIVING.get(name, ())),
            _is_set(settings, _SENDING.get(name, ())),
            name in _SENDING,
            found[name][0],
            failed.created_at if (failed := found[name][1]) else None,
            failed.last_error if failed else "",
        )
        for name in names
    ]


def _is_set(settings: Settings, names: tuple[str, ...]) -> bool:
    return any(getattr(settings, name) for name in names)


@repeat_on_conflict
def send_test(
    board: BoardContext, by: PersonInfo | Actor, settings: Settings, channel: str, room: str
) -> int:
    """Queue a test message to a room of a channel; returns its number in the log of deliveries."""
    actor = require_actor(by, "channel.test")
    room = trim(room)
    if channel not in _SENDING or not _is_set(settings, _SENDING[channel]):
        raise Invalid(what=channel, why=t("notices.channels.not_sending"), field=channel)
    if not room or len(room) > _MAX_ROOM:
        raise Missing(what=t("notices.channels.room"), field=channel)
    now = board.clock()
    with board.database.transaction() as session:
        number = outbox.send(
            session,
            "message",
            t_default("notices.channels.text", who=actor.label),
            now,
            room=room,
            sr_id=None,
            route=Route(channel=channel),
        )
        log.append(
            session,
            EntryKind.CHANNEL_TESTED,
            actor=str(actor),
            now=now,
            detail={"channel": channel, "room": room, "message": number},
            channel=channel,
            room=room,
        )
        return number
