"""How many requests a minute one sender and one room may make.

The buckets are in the database, so that several boards count together. Refused requests are
counted too: the channel gets one answer when it begins and, with the number, one when it is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.intake import chat_log
from guardia.board.intake.model import IntakeRate
from guardia.board.issues.conversation import ConversationReply
from guardia.board.issues.receiving import NewIssue
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.settings import Settings

_FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IntakeBounds:
    """Requests a minute; twice as many in a first minute."""

    per_sender: int = 30
    per_room: int = 120

    @classmethod
    def of(cls, settings: Settings) -> IntakeBounds:
        """Return the bounds of an installation."""
        return cls(settings.requests_per_sender, settings.requests_per_room)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a request beyond that about its issue."""

    accepted: bool
    """Whether it may open one."""
    is_first_refusal: bool = False
    per_minute: int = 0
    """The bound that refused it."""
    refused_before: int = 0
    """How many were refused until the flood was over, which the next answer says."""


@repeat_on_conflict
def count_request(board: BoardContext, line: NewIssue, bounds: IntakeBounds) -> Verdict | None:
    """Count a request of a sender in a room; `None` if there is nothing to say about it.

    A repeated delivery counts once.
    """
    now = board.clock()
    wanted = {_key("sender", line.channel, line.account or line.sender): bounds.per_sender}
    if line.room:
        wanted[_key("room", line.channel, line.room)] = bounds.per_room
    with board.database.transaction() as session:
        if chat_log.is_known(session, line):
            return None
        buckets = _buckets(session, wanted, now)
        for bucket in buckets:
            _refill(bucket, wanted[bucket.key], now)
        exhausted = [bucket for bucket in buckets if bucket.level < 1]
        verdict = _refuse(exhausted, wanted) if exhausted else _accept(buckets, wanted)
        if verdict and (verdict.accepted or verdict.is_first_refusal):
            session.flush()
            _record(session, line, verdict, now)
        return verdict


def refusal(board: BoardContext, line: NewIssue, settings: Settings) -> ConversationReply | None:
    """Count a line that a step is about to answer; return the answer if it is beyond the bounds."""
    verdict = count_request(board, line, IntakeBounds.of(settings))
    if verdict is None or verdict.accepted:
        return None
    text = t("intake.limited", limit=verdict.per_minute) if verdict.is_first_refusal else ""
    return ConversationReply(text)


def _key(kind: str, channel: str, name: str) -> str:
    return f"{kind}|{channel}|{name}"


def _buckets(session: Session, wanted: dict[str, int], now: datetime) -> list[IntakeRate]:
    """Return the buckets, locked in the order of their keys; new ones are full."""
    old = IntakeRate.counted_at < now - _FORGOTTEN_AFTER
    session.execute(delete(IntakeRate).where(old, IntakeRate.refused == 0))
    rows = [{"key": k, "level": float(n), "counted_at": now} for k, n in sorted(wanted.items())]
    session.execute(insert(IntakeRate).values(rows).on_conflict_do_nothing())
    query = select(IntakeRate).where(IntakeRate.key.in_(wanted)).order_by(IntakeRate.key)
    return list(session.scalars(query.with_for_update()))


def _refill(bucket: IntakeRate, per_minute: int, now: datetime) -> None:
    seconds = max(0.0, (now - bucket.counted_at).total_seconds())
    bucket.level = min(float(per_minute), bucket.level + seconds * per_minute / 60)
    bucket.counted_at = now


def _refuse(exhausted: list[IntakeRate], wanted: dict[str, int]) -> Verdict:
    # Refused under several bounds, a request is counted once: under the first of them.
    bucket = exhausted[0]
    bucket.refused += 1
    return Verdict(
        accepted=False, is_first_refusal=bucket.refused == 1, per_minute=wanted[bucket.key]
    )


def _accept(buckets: list[IntakeRate], wanted: dict[str, int]) -> Verdict | None:
    refused = 0
    for bucket in buckets:
        # Below half, the flood goes on: single requests that still pass end nothing.
        if bucket.level >= wanted[bucket.key] / 2:
            refused, bucket.refused = refused + bucket.refused, 0
        bucket.level -= 1
    return Verdict(accepted=True, refused_before=refused) if refused else None


def _record(session: Session, line: NewIssue, verdict: Verdict, now: datetime) -> None:
    kind = EntryKind.INTAKE_RESUMED if verdict.accepted else EntryKind.INTAKE_LIMITED
    log.append(
        session,
        kind,
        actor=str(Actor.channel(line.channel)),
        now=now,
        detail={
            "sender": line.sender,
            "account": line.account,
            "room": line.room,
            "refused": verdict.refused_before,
            "per_minute": verdict.per_minute,
        },
        who=line.sender,
        room=line.room or "-",
        count=verdict.refused_before if verdict.accepted else verdict.per_minute,
    )
