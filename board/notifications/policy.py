"""Rules of delivery: by which media a notice goes to a person, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from guardia.board.core.notice_kinds import EMERGENCIES, NoticeKind
from guardia.org.heartbeats import QuietHours
from guardia.org.notifications import NotificationRules

AT_ONCE = EMERGENCIES | {NoticeKind.ON_CALL}
"""Ignore quiet hours and digests, and use the media of emergencies."""
NEVER_COLLECTED = AT_ONCE | {NoticeKind.QUESTION, NoticeKind.DUE, NoticeKind.ESCALATED}
"""Wait for no digest: a person waits for the answer."""
PAGE_ONLY = frozenset({NoticeKind.ALERT, NoticeKind.PROGRESS})
"""Shown on the page of the person only."""


@dataclass(frozen=True, slots=True)
class Preference:
    """What a person has chosen; `None` and empty values are the chart's."""

    phone: str = ""
    mail: str = ""
    media: tuple[str, ...] | None = None
    quiet_from: str = ""
    quiet_until: str = ""
    digest_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """Media of a notice; empty: it is only on the page."""

    media: tuple[str, ...] = ()
    due_at: datetime | None = None
    """`None`: at once."""


def plan_delivery(
    kind: NoticeKind,
    wanted: Preference,
    rules: NotificationRules,
    now: datetime,
    zone: ZoneInfo,
    *,
    in_room: bool = False,
) -> DeliveryPlan:
    """Return by which media a person receives a notice, and when."""
    if kind in AT_ONCE:
        chosen = dict.fromkeys((*rules.emergency_media, *(wanted.media or ())))
        return DeliveryPlan(tuple(chosen))
    media = rules.media if wanted.media is None else wanted.media
    if in_room or kind in PAGE_ONLY or not media:
        return DeliveryPlan()
    due = now
    if kind not in NEVER_COLLECTED:
        due += _digest(wanted, rules)
    due = _after_quiet_hours(due, wanted, rules, zone)
    return DeliveryPlan(tuple(media), due if due > now else None)


def _digest(wanted: Preference, rules: NotificationRules) -> timedelta:
    if wanted.digest_minutes is not None:
        return timedelta(minutes=wanted.digest_minutes)
    return rules.digest or timedelta(0)


def _after_quiet_hours(
    moment: datetime, wanted: Preference, rules: NotificationRules, zone: ZoneInfo
) -> datetime:
    """Return the end of the quiet hours that contain a moment, or the moment itself."""
    quiet = rules.quiet
    if wanted.quiet_from and wanted.quiet_until:
        own = {"from": wanted.quiet_from, "until": wanted.quiet_until}
        quiet = QuietHours.model_validate(own)
    return (quiet.until(moment, zone) if quiet is not None else None) or moment


def cut_text(text: str, limit: int) -> str:
    """Return `text` on one line, cut to `limit` bytes of EUC-KR without splitting a character.

    What EUC-KR cannot write becomes a question mark, as a phone would show nothing better.
    """
    line = " ".join(text.split())
    known = line.encode("cp949", "replace").decode("cp949")
    if len(known.encode("cp949")) <= limit:
        return known
    kept, size = [], 0
    for character in known:
        size += len(character.encode("cp949"))
        if size > limit - 2:
            break
        kept.append(character)
    return "".join(kept) + ".."
