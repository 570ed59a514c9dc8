"""The timeline of an issue: audit entries and comments in one list, one page at a time.

A remote command is one item: its intent, with the result looked up. Comments are read from their
own table, so their audit entries are left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Row, Subquery, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import stored_prefix
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.model import Comment
from guardia.board.tracker import timeline_lines
from guardia.board.tracker.timeline_lines import CommentItem, Day, EntryItem, Item, Key, Result

View = Literal["all", "decisions", "talk", "commands"]
VIEWS: tuple[View, ...] = get_args(View)
PROGRESS_KINDS = (
    EntryKind.RECEIVED,
    EntryKind.PARSED,
    EntryKind.PLANNED,
    EntryKind.WAIVED,
    EntryKind.OBSERVED,
    EntryKind.STANDING_USED,
    EntryKind.APPROVED,
    EntryKind.REJECTED,
    EntryKind.CHANGES_ASKED,
    EntryKind.STARTED,
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.REOPENED,
    EntryKind.ACCEPTED,
    EntryKind.ACCEPTANCE_LAPSED,
)
"""Kinds of entries that a customer may see, without their content."""
_END_KINDS = (
    EntryKind.COMPLETED,
    EntryKind.FAILED,
    EntryKind.HANDED_OVER,
    EntryKind.OBSERVED,
    EntryKind.REJECTED,
    EntryKind.UNDONE,
    EntryKind.NOT_RESTORED,
)
_COMMAND_KINDS = frozenset({EntryKind.INTENT, EntryKind.FOUND_DONE, EntryKind.FOUND_UNKNOWN})
_RESULT_KINDS = frozenset({EntryKind.RESULT, EntryKind.RESULT_FAILED})
_NOT_ITEMS = (EntryKind.COMMENT, *_RESULT_KINDS)
_DECISION_KINDS = frozenset(
    {
        EntryKind.PLANNED,
        EntryKind.WAIVED,
        EntryKind.OBSERVED,
        EntryKind.STANDING_USED,
        EntryKind.STANDING_ENDED,
        EntryKind.APPROVED,
        EntryKind.REJECTED,
        EntryKind.CHANGES_ASKED,
        EntryKind.APPROVAL_ESCALATED,
        EntryKind.APPROVAL_EXPIRED,
        EntryKind.STARTED,
        EntryKind.COMPLETED,
        EntryKind.FAILED,
        EntryKind.HANDED_OVER,
        EntryKind.ORDERED,
        EntryKind.UNDONE,
        EntryKind.NOT_RESTORED,
        EntryKind.STALLED,
        EntryKind.STALL_LIFTED,
        EntryKind.GOAL_PLANNED,
        EntryKind.GOAL_ANSWERED,
        EntryKind.GOAL_APPROVED,
        EntryKind.GOAL_ACHIEVED,
        EntryKind.GOAL_DROPPED,
        EntryKind.HIRE_APPROVED,
        EntryKind.HIRE_REJECTED,
    }
)
_TALK_KINDS = frozenset({EntryKind.RECEIVED})
_KINDS: dict[View, frozenset[EntryKind]] = {
    "decisions": _DECISION_KINDS,
    "talk": _TALK_KINDS,
    "commands": _COMMAND_KINDS,
}
_WITH_COMMENTS = frozenset({"all", "talk"})
_WINDOW = 200
_LINES = 30
_TEXT = 2000
"""Characters of a text that the timeline itself shows."""
_COMMENT_SOURCE, _ENTRY_SOURCE = 0, 1
_CURSOR = re.compile(r"(\d{1,18})-([01])-(\d{1,18})")
_PLACE = re.compile(r"(entry|comment)-(\d{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """Filter and page of a timeline."""

    show: View = "all"
    before: str = ""
    """Cursor: only what is older."""
    at: str = ""
    """A place, `entry-7` or `comment-7`: the page that ends with it."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of a timeline, oldest first."""

    show: View
    days: tuple[Day, ...]
    counts: dict[str, int]
    """Number of items of each view."""
    older: int
    """Number of items before this page."""
    cursor: str
    """Cursor for `before` that leads to them."""
    is_newest: bool
    whole: bool
    """Whether contents may be shown: to readers of the audit log."""

    @property
    def actors(self) -> set[str]:
        """Return the stored form of everyone who is named on the page."""
        return {actor for day in self.days for line in day.lines for actor in line.actors}


def read_timeline(session: Session, sr_id: int, query: TimelineQuery, *, whole: bool) -> Timeline:
    """Return one page of an issue's timeline; without `whole`, only progress and people's talk."""
    items = _items(sr_id, query.show, whole=whole)
    end = _end(session, sr_id, query)
    key = (items.c.at, items.c.source, items.c.number)
    page = select(items).order_by(*(column.desc() for column in key)).limit(_WINDOW)
    if end is not None:
        page = page.where(tuple_(*key) < tuple_(*map(literal, end)))
    found = session.execute(page).all()[::-1]
    folded = timeline_lines.fold(_load(session, sr_id, found, whole=whole))
    lines = folded[-_LINES:]
    first = lines[0].first if lines else None
    is_all = len(found) < _WINDOW and len(folded) <= _LINES
    return Timeline(
        show=query.show,
        days=timeline_lines.by_day(lines),
        counts=_counts(session, sr_id, whole=whole),
        older=0 if is_all or first is None else _count_before(session, items, first),
        cursor=_format_cursor(first) if first else "",
        is_newest=end is None,
        whole=whole,
    )


def outcome(session: Session, sr_id: int) -> str:
    """Return the text, or the reason, of an issue's last closing entry."""
    detail = session.scalar(
        select(AuditEntry.detail)
        .where(AuditEntry.sr_id == sr_id, AuditEntry.kind.in_(_END_KINDS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    return str((detail or {}).get("text") or (detail or {}).get("reason") or "")


def _items(sr_id: int, show: View, *, whole: bool) -> Subquery:
    """Return the keys of all items of a view: time, source and number."""
    entries = select(
        AuditEntry.created_at.label("at"),
        literal(_ENTRY_SOURCE).label("source"),
        AuditEntry.seq.label("number"),
    ).where(AuditEntry.sr_id == sr_id, *_entry_conditions(whole=whole))
    if show in _KINDS:
        entries = entries.where(AuditEntry.kind.in_(_KINDS[show]))
    if show not in _WITH_COMMENTS:
        return entries.subquery()
    comments = select(Comment.created_at, literal(_COMMENT_SOURCE), Comment.comment_id).where(
        Comment.sr_id == sr_id, *_comment_conditions(whole=whole)
    )
    return union_all(entries, comments).subquery()


def _entry_conditions(*, whole: bool) -> list[ColumnElement[bool]]:
    is_item: ColumnElement[bool] = AuditEntry.kind.not_in(_NOT_ITEMS)
    return [is_item] if whole else [is_item, AuditEntry.kind.in_(PROGRESS_KINDS)]


def _comment_conditions(*, whole: bool) -> list[ColumnElement[bool]]:
    # Agents write of diagnoses and servers; customers read what people tell them.
    return [] if whole else [Comment.author.startswith(stored_prefix(ActorKind.PERSON))]


def _end(session: Session, sr_id: int, query: TimelineQuery) -> Key | None:
    """Return the key at which the page ends, exclusive; `None` for the newest page."""
    if cursor := _CURSOR.fullmatch(query.before):
        time, source, number = map(int, cursor.groups())
        return (_EPOCH + time * _MICROSECOND, source, number)
    place = _PLACE.fullmatch(query.at)
    if place is None:
        return None
    number = int(place[2])
    source = _ENTRY_SOURCE if place[1] == "entry" else _COMMENT_SOURCE
    column = AuditEntry.created_at if source else Comment.created_at
    is_it = (
        (AuditEntry.sr_id == sr_id) & (AuditEntry.seq == number)
        if source
        else (Comment.sr_id == sr_id) & (Comment.comment_id == number)
    )
    at = session.scalar(select(column).where(is_it))
    return None if at is None else (at, source, number + 1)


def _format_cursor(key: Key) -> str:
    at, source, number = key
    return f"{(at - _EPOCH) // _MICROSECOND}-{source}-{number}"


def _count_before(session: Session, items: Subquery, key: Key) -> int:
    columns = (items.c.at, items.c.source, items.c.number)
    query = select(func.count()).where(tuple_(*columns) < tuple_(*map(literal, key)))
    return session.scalar(query) or 0


def _counts(session: Session, sr_id: int, *, whole: bool) -> dict[str, int]:
    entries = (
        select(AuditEntry.kind, func.count())
        .where(AuditEntry.sr_id == sr_id, *_entry_conditions(whole=whole))
        .group_by(AuditEntry.kind)
    )
    comments = select(literal(EntryKind.COMMENT.value), func.count(Comment.comment_id)).where(
        Comment.sr_id == sr_id, *_comment_conditions(whole=whole)
    )
    kinds = {row[0]: row[1] for row in session.execute(union_all(entries, comments))}
    talk = kinds.pop(EntryKind.COMMENT, 0)
    found = {
        show: sum(n for kind, n in kinds.items() if show not in _KINDS or kind in _KINDS[show])
        for show in VIEWS
    }
    return {show: n + (talk if show in _WITH_COMMENTS else 0) for show, n in found.items()}


def _load(session: Session, sr_id: int, found: Sequence[Row[Any]], *, whole: bool) -> list[Item]:
    """Return the items of a page with their contents."""
    numbers = [row.number for row in found if row.source == _ENTRY_SOURCE]
    entries = _entries(session, sr_id, numbers, whole=whole) if numbers else {}
    written = [row.number for row in found if row.source == _COMMENT_SOURCE]
    comments = _comments(session, written) if written else {}
    return [
        comments[row.number] if row.source == _COMMENT_SOURCE else entries[row.number]
        for row in found
    ]


def _entries(
    session: Session, sr_id: int, numbers: Sequence[int], *, whole: bool
) -> dict[int, EntryItem]:
    """Return entries by number, the intents of commands with their results."""
    detail = AuditEntry.detail
    intent = detail["intent"].as_integer()
    is_result = (
        (AuditEntry.sr_id == sr_id)
        & (AuditEntry.seq > min(numbers))
        & AuditEntry.kind.in_(_RESULT_KINDS)
        & intent.in_(numbers)
    )
    rows = session.execute(
        select(
            AuditEntry.seq.label("number"),
            AuditEntry.created_at.label("at"),
            AuditEntry.kind,
            AuditEntry.actor,
            func.left(AuditEntry.log_content, _TEXT).label("text"),
            AuditEntry.current_hash.label("hash"),
            detail["tool"].astext.label("tool"),
            detail["args"].label("args"),
            detail["phase"].astext.label("phase"),
            detail["server"].astext.label("server"),
            detail["reasons"].label("reasons"),
            func.left(detail["text"].astext, _TEXT).label("closing_text"),
            intent.label("intent"),
            detail["milliseconds"].as_integer().label("milliseconds"),
        ).where(AuditEntry.seq.in_(numbers) | is_result if whole else AuditEntry.seq.in_(numbers))
    ).all()
    results = {row.intent: _result(row) for row in rows if row.kind in _RESULT_KINDS}
    items = [_entry(row, results.get(row.number)) for row in rows if row.kind not in _RESULT_KINDS]
    return {item.number: item if whole else timeline_lines.progress_only(item) for item in items}


def _result(row: Any) -> Result:
    return Result(row.kind == EntryKind.RESULT, row.milliseconds or 0, row.at)


def _entry(row: Any, result: Result | None) -> EntryItem:
    fields = row._asdict()
    del fields["intent"], fields["milliseconds"]
    return EntryItem(**fields, result=result)


def _comments(session: Session, numbers: Collection[int]) -> dict[int, CommentItem]:
    rows = session.execute(
        select(
            Comment.comment_id.label("number"),
            Comment.created_at.label("at"),
            Comment.author.label("actor"),
            func.left(Comment.body, _TEXT).label("text"),
            func.length(Comment.body).label("length"),
            Comment.edited_at.is_not(None).label("is_edited"),
            Comment.deleted_at.is_not(None).label("is_deleted"),
        ).where(Comment.comment_id.in_(numbers))
    )
    return {row.number: CommentItem(**row._asdict()) for row in rows}
