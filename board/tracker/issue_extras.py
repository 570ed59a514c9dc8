"""What else the page of an issue shows, in one select: labels, lock, references, who follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.board.issues.model import (
    EarlierText,
    Follower,
    IssueLabel,
    IssueLock,
    IssueReference,
    Label,
)
from guardia.board.tracker.relations import RelatedIssue
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution

_MOST = 20


@dataclass(frozen=True, slots=True)
class LabelMark:
    """A label as a page draws it."""

    name: str
    color: str


@dataclass(frozen=True, slots=True)
class IssueExtras:
    """Labels, lock, references and the viewer's choice about notices."""

    institution: str | None = None
    labels: tuple[LabelMark, ...] = ()
    following: str = ""
    lock_reason: str | None = None
    locked_by: str = ""
    is_edited: bool = False
    named_by: tuple[RelatedIssue, ...] = ()
    """Issues whose texts name this one, as far as the viewer may see them."""


def read_extras(session: Session, viewer: PersonInfo, issue: Issue) -> IssueExtras:
    """Return the extras of an issue that the viewer may see."""
    sr_id = issue.sr_id
    lock = select(func.json_build_array(IssueLock.reason, IssueLock.locked_by))
    edits = select(EarlierText.earlier_id).where(
        EarlierText.sr_id == sr_id, EarlierText.comment_id.is_(None)
    )
    follow = select(Follower.state).where(Follower.sr_id == sr_id, Follower.person_id == viewer.id)
    home = select(Institution.inst_name).where(Institution.inst_id == issue.inst_id)
    row = session.execute(
        select(
            home.scalar_subquery().label("home"),
            _labels(sr_id).label("labels"),
            follow.scalar_subquery().label("following"),
            lock.where(IssueLock.sr_id == sr_id).scalar_subquery().label("lock"),
            edits.exists().label("is_edited"),
            _named_by(viewer, sr_id).label("named_by"),
        )
    ).one()
    reason, locked_by = row.lock or (None, "")
    return IssueExtras(
        institution=row.home or issue.inst_id,
        labels=tuple(LabelMark(*one) for one in row.labels or ()),
        following=row.following or "",
        lock_reason=reason,
        locked_by=locked_by,
        is_edited=row.is_edited,
        named_by=tuple(_related(one) for one in row.named_by or ()),
    )


def _labels(sr_id: int) -> ScalarSelect[Any]:
    pair = func.json_build_array(Label.name, Label.color)
    query = (
        select(func.json_agg(aggregate_order_by(pair, Label.match_key)))
        .join(IssueLabel, IssueLabel.label_id == Label.label_id)
        .where(IssueLabel.sr_id == sr_id)
    )
    return query.scalar_subquery()


def _named_by(viewer: PersonInfo, sr_id: int) -> ScalarSelect[Any]:
    newest: Select[Any, Any, Any, Any] = (
        select(Issue.sr_id, Issue.title, Issue.status, Issue.kind)
        .join(IssueReference, IssueReference.from_id == Issue.sr_id)
        .where(IssueReference.to_id == sr_id, visibility.visible_to(viewer))
        .order_by(IssueReference.since.desc(), Issue.sr_id.desc())
        .limit(_MOST)
    )
    rows = newest.subquery()
    each = func.json_build_array(rows.c.sr_id, rows.c.title, rows.c.status, rows.c.kind)
    return select(func.json_agg(each)).select_from(rows).scalar_subquery()


def _related(row: list[Any]) -> RelatedIssue:
    sr_id, title, status, kind = row
    return RelatedIssue(sr_id, title, State(status), kind, None)
