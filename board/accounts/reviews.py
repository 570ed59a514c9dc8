"""The review of everyone's rights in each period: confirm or revoke each, with reminders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields
from guardia.board.accounts.account_fields import audit_detail, difference, record
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.rights import history
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.model import RightChange, RightReminder, RightReview
from guardia.board.rights.policy import PRIVILEGED
from guardia.board.rights.requests import human_of
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Missing, Stale
from guardia.i18n import t, t_default
from guardia.org.access import PERMISSIONS
from guardia.org.account_model import AccountState
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

PAGE = 50
_LAST_DAYS = timedelta(days=14)
"""How long before its end a period that is not done is reminded of again."""


@dataclass(frozen=True, slots=True)
class ReviewPeriod:
    """One period of reviews, such as `2026-07`: named by its first month."""

    name: str
    begins: datetime
    ends: datetime


def period_of(moment: datetime, months: int) -> ReviewPeriod:
    """Return the period of a moment; the first one of a year begins in January."""
    local = moment.astimezone(SEOUL)
    first = (local.month - 1) // months * months + 1
    begins = datetime(local.year, first, 1, tzinfo=SEOUL)
    after = min(first + months, 13)
    ends = date(local.year + (after > 12), 1 if after > 12 else after, 1)
    return ReviewPeriod(
        f"{local.year}-{first:02}", begins, datetime(ends.year, ends.month, 1, tzinfo=SEOUL)
    )


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A person whose rights are to be reviewed."""

    person: PersonInfo
    signed_in_at: datetime | None
    vendor: bool
    mine: bool
    """Whether it is the viewer's own, which another person reviews."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """One page of who is to be reviewed; approvers and administrators come first."""

    period: ReviewPeriod
    rows: tuple[ReviewRow, ...]
    after: str
    """Cursor of the next page; empty on the last one."""
    done: int
    total: int


_RANK: ColumnElement[int] = case((Person.role.in_(PRIVILEGED), 0), else_=1)


def open_reviews(
    board: BoardContext, viewer: PersonInfo, *, after: str = "", size: int = PAGE
) -> ReviewPage:
    """Return one page of the accounts that no one has reviewed in this period."""
    require_actor(viewer, "right.review")
    period = period_of(board.current_time(), board.accounts.review_months)
    query = (
        select(Person, AccountState, _RANK)
        .outerjoin(AccountState, AccountState.person_id == Person.person_id)
        .where(Person.active, ~_reviewed(period))
        .order_by(_RANK, Person.person_id)
        .limit(size + 1)
    )
    rank, _, account = after.partition(":")
    if account and rank in {"0", "1"}:
        later = (int(rank) < _RANK) | and_(_RANK.in_([int(rank)]), Person.person_id > account)
        query = query.where(later)
    with board.database.reading() as session:
        own = human_of(session, viewer.id)
        found = [_reviewable(*row) for row in session.execute(query)]
        rows = tuple(
            ReviewRow(person, signed_in_at, vendor, (person.identity or person.id) == own)
            for person, signed_in_at, vendor, _ in found[:size]
        )
        total, done = _counts(session, period)
    last = found[size - 1] if len(found) > size else None
    cursor = f"{last[3]}:{last[0].id}" if last else ""
    return ReviewPage(period, rows, cursor, done, total)


def _reviewable(
    row: Person, state: AccountState | None, rank: int
) -> tuple[PersonInfo, datetime | None, bool, int]:
    signed_in_at = state.signed_in_at if state else None
    return row.as_info(), signed_in_at, state is not None and state.vendor, rank


def _reviewed(period: ReviewPeriod) -> ColumnElement[bool]:
    return (
        select(RightReview.person_id)
        .where(RightReview.period == period.name, RightReview.person_id == Person.person_id)
        .exists()
    )


def _counts(session: Session, period: ReviewPeriod) -> tuple[int, int]:
    """Return how many accounts there are to review in a period, and how many of them are done."""
    done = select(func.count()).where(RightReview.period == period.name).scalar_subquery()
    left = select(func.count()).where(Person.active, ~_reviewed(period)).scalar_subquery()
    reviewed, others = session.execute(select(done, left)).one()
    return reviewed + others, reviewed


@repeat_on_conflict
def review(
    board: BoardContext, by: PersonInfo, account: str, *, confirm: bool, note: str = ""
) -> None:
    """Confirm a person's rights for this period, or revoke them: the account is closed.

    Raises `Forbidden` for one's own, `Missing` without a reason to revoke.
    """
    actor = require_actor(by, "right.review")
    if not confirm and not note:
        raise Missing(what=t("accounts.review.note"))
    now = board.clock()
    period = period_of(now, board.accounts.review_months)
    with board.database.transaction() as session:
        row = account_fields.find(session, account)
        if human_of(session, account) == human_of(session, by.id):
            raise Forbidden(who=f"{by.name} {by.title}", action=t("accounts.review.own"))
        outcome = "CONFIRMED" if confirm else "REVOKED"
        made = session.scalar(
            insert(RightReview)
            .values(
                period=period.name,
                person_id=account,
                role=row.role,
                outcome=outcome,
                reviewed_by=str(actor),
                reviewed_at=now,
                note=note,
            )
            .on_conflict_do_nothing()
            .returning(RightReview.person_id)
        )
        if made is None:
            raise Stale(what=t("accounts.review.one"))
        changed = {} if confirm else _revoke(session, row, actor, note, now)
        session.flush()
        if changed:
            record(session, board, actor, EntryKind.PERSON_CHANGED, row, changed)
        verdict = t_default(f"accounts.review.verdict.{outcome}")
        log.append(
            session,
            EntryKind.RIGHT_REVIEWED,
            actor=str(actor),
            now=now,
            detail={"person": account, "period": period.name, "role": row.role}
            | {"outcome": outcome, "note": note},
            who=actor.label,
            period=period.name,
            person=account,
            verdict=verdict,
        )


def _revoke(
    session: Session, row: Person, by: Actor, note: str, now: datetime
) -> dict[str, object]:
    before = audit_detail(row)
    row.active = False
    account_fields.end_sessions(session, row.person_id)
    history.record(
        session, ChangedRight(row.person_id, "review", row.role, None, note), str(by), now
    )
    return difference(before, audit_detail(row))


@repeat_on_conflict
def process_due(board: BoardContext) -> None:
    """Remind reviewers of a period that began, and of one that ends and is not done; each once."""
    now = board.clock()
    period = period_of(now, board.accounts.review_months)
    stages = ["begun", *(["ending"] if now >= period.ends - _LAST_DAYS else [])]
    with board.database.transaction() as session:
        oldest = session.scalar(select(func.min(RightChange.made_at)))
        if oldest is None or oldest >= period.begins:
            return  # an installation that began in this period has given all rights in it
        sent = select(RightReminder.stage).where(RightReminder.period == period.name)
        if set(stages) <= set(session.scalars(sent)):
            return
        for stage in stages:
            _remind(session, period, stage, now)


def _remind(session: Session, period: ReviewPeriod, stage: str, now: datetime) -> None:
    values = {"period": period.name, "stage": stage, "sent_at": now}
    made = session.scalar(
        insert(RightReminder)
        .values(**values)
        .on_conflict_do_nothing()
        .returning(RightReminder.stage)
    )
    total, done = _counts(session, period)
    if made is None or done >= total:
        return
    roles = PERMISSIONS["right.review"]
    reviewers = session.scalars(
        select(Person.person_id).where(Person.role.in_(roles), Person.active)
    ).all()
    last_day = (period.ends - timedelta(days=1)).astimezone(UTC).astimezone(SEOUL)
    words = {"period": period.name, "left": total - done, "until": f"{last_day:%Y-%m-%d}"}
    text = t_default(f"accounts.review.{stage}", **words)
    outbox.notify(session, NoticeKind.REMINDER, text, reviewers, now, sr_id=None)
