"""Queue a notice for one person, once for each medium that can reach them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.core import outbox
from guardia.board.core.choices import Choice
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.core.notices import Notice
from guardia.board.notifications import audience
from guardia.board.notifications.policy import Preference
from guardia.org.chart_model import OrgChart

MAIL_CHANNEL = "mail"
"""Name of the channel for e-mail, which sends mail where the site has no gateway for it."""
DIRECT_CHANNELS = frozenset({"slack"})
"""Messengers that deliver a message to an account in place of a room."""


def send_copies(
    session: Session,
    chart: OrgChart,
    notice: Notice,
    wanted: Preference,
    now: datetime,
    *,
    media: tuple[str, ...],
    text: str,
    choices: tuple[Choice, ...] = (),
) -> int:
    """Queue a text for a person by those media that have an address; returns how many."""
    places = [p for m in media for p in _places(session, chart, notice.person_id, m, wanted)]
    for medium, place in places:
        copied = outbox.send(
            session,
            "notice",
            text,
            now,
            room=place,
            sr_id=notice.sr_id,
            choices=choices,
            notice=NoticeKind(notice.kind),
        )
        row = session.get_one(OutboxEntry, copied)
        row.medium, row.person_id, row.cause_id = medium, notice.person_id, notice.outbox_id
    return len(places)


def _places(
    session: Session, chart: OrgChart, person: str, medium: str, wanted: Preference
) -> list[tuple[str, str]]:
    """Return medium and address for each way to reach a person."""
    if medium == "sms":
        return [("sms", wanted.phone)] if wanted.phone and chart.notifications.sms else []
    if medium == "mail":
        return [("mail", wanted.mail)] if wanted.mail else []
    accounts = audience.messenger_accounts(session, person)
    return [(channel, account) for channel, account in accounts if channel in DIRECT_CHANNELS]
