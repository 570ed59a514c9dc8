"""Labels: the site's list of them, and those of an issue."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.issues import changing
from guardia.board.issues.model import IssueLabel, Label
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.text import matching_form, trim

ON_ISSUE = "issue.organize"
EDIT = "label.edit"
MAX_NAME = 50
MAX_DESCRIPTION = 200
MOST = 20
"""Labels of one issue."""
PALETTE = ("b60205", "d93f0b", "fbca04", "0e8a16", "006b75", "1d76db", "5319e7", "8a8f98")
_COLOR = re.compile(r"[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label."""

    label_id: int
    name: str
    color: str
    description: str = ""
    issues: int = 0
    """Number of issues that have it, where it is counted."""


def list_labels(board: BoardContext, person: PersonInfo) -> list[LabelView]:
    """Return all labels by name, with the number of issues that have each."""
    require_permission(person, "queue.read")
    counted = select(IssueLabel.label_id, func.count().label("n")).group_by(IssueLabel.label_id)
    used = counted.subquery()
    query = select(Label, func.coalesce(used.c.n, 0)).outerjoin(
        used, used.c.label_id == Label.label_id
    )
    with board.database.reading() as session:
        return [
            LabelView(row.label_id, row.name, row.color, row.description, count)
            for row, count in session.execute(query.order_by(Label.match_key))
        ]


@repeat_on_conflict
def create(
    board: BoardContext, person: PersonInfo, name: str, color: str, description: str = ""
) -> LabelView:
    """Create a label. Raises `Invalid` for a name that exists or a color that is none."""
    require_permission(person, EDIT)
    now = board.clock()
    name, color, description = _checked(name, color, description)
    with board.database.transaction() as session:
        _require_free(session, name)
        row = Label(
            name=name,
            match_key=matching_form(name),
            color=color,
            description=description,
            created_by=str(Actor.of(person)),
            created_at=now,
        )
        session.add(row)
        session.flush()
        detail = {"label": row.label_id, "name": name, "color": color}
        changing.record(session, EntryKind.LABEL_CREATED, person, now, None, detail, label=name)
        return LabelView(row.label_id, row.name, color, description)


@repeat_on_conflict
def change(
    board: BoardContext,
    person: PersonInfo,
    label_id: int,
    name: str,
    color: str,
    description: str = "",
) -> None:
    """Rename or recolor a label, on all issues that have it."""
    require_permission(person, EDIT)
    now = board.clock()
    name, color, description = _checked(name, color, description)
    with board.database.transaction() as session:
        row = _label(session, label_id)
        if matching_form(name) != row.match_key:
            _require_free(session, name)
        detail = {
            "label": label_id,
            "before": [row.name, row.color, row.description],
            "after": [name, color, description],
        }
        row.name, row.match_key, row.color, row.description = (
            *(name, matching_form(name)),
            *(color, description),
        )
        session.flush()
        changing.record(session, EntryKind.LABEL_CHANGED, person, now, None, detail, label=name)


@repeat_on_conflict
def remove(board: BoardContext, person: PersonInfo, label_id: int) -> None:
    """Remove a label from the list and from all issues."""
    require_permission(person, EDIT)
    now = board.clock()
    with board.database.transaction() as session:
        row = _label(session, label_id)
        used = select(func.count()).where(IssueLabel.label_id == label_id)
        detail = {"label": label_id, "name": row.name, "issues": session.scalar(used) or 0}
        session.delete(row)
        session.flush()
        changing.record(session, EntryKind.LABEL_REMOVED, person, now, None, detail, label=row.name)


@repeat_on_conflict
def set_labels(
    board: BoardContext, person: PersonInfo, sr_id: int, wanted: Collection[int]
) -> bool:
    """Give an issue exactly these labels; return whether that changed anything.

    Raises `NotFound` if the person may not see the issue or a label does not exist.
    """
    now = board.clock()
    if len(set(wanted)) > MOST:
        raise Invalid(what=t("issue.labels"), why=t("issue.too_many_labels", most=MOST))
    with board.database.transaction() as session:
        issue = changing.lock_for(session, person, sr_id, ON_ISSUE)
        names = _names(session, {*wanted, *(had := _labels_of(session, sr_id))})
        if missing := set(wanted) - set(names):
            raise NotFound(what=f"{t('issue.labels')} {min(missing)}")
        added, removed = set(wanted) - had, had - set(wanted)
        if not added and not removed:
            return False
        by = str(Actor.of(person))
        session.add_all(
            IssueLabel(sr_id=sr_id, label_id=one, added_by=by, added_at=now)
            for one in sorted(added)
        )
        session.execute(
            delete(IssueLabel).where(IssueLabel.sr_id == sr_id, IssueLabel.label_id.in_(removed))
        )
        issue.updated_at = now
        session.flush()
        signs = [f"+{names[n]}" for n in sorted(added)] + [f"-{names[n]}" for n in sorted(removed)]
        detail = {
            "added": [names[n] for n in sorted(added)],
            "removed": [names[n] for n in sorted(removed)],
        }
        changing.record(
            session, EntryKind.LABELED, person, now, sr_id, detail, labels=", ".join(signs)
        )
        return True


def _labels_of(session: Session, sr_id: int) -> set[int]:
    return set(session.scalars(select(IssueLabel.label_id).where(IssueLabel.sr_id == sr_id)))


def _names(session: Session, numbers: Collection[int]) -> dict[int, str]:
    query = select(Label.label_id, Label.name).where(Label.label_id.in_(numbers))
    return {row.label_id: row.name for row in session.execute(query)}


def _label(session: Session, label_id: int) -> Label:
    row = session.get(Label, label_id, with_for_update=True)
    if row is None:
        raise NotFound(what=f"{t('issue.labels')} {label_id}")
    return row


def _require_free(session: Session, name: str) -> None:
    query = select(Label.label_id).where(Label.match_key == matching_form(name))
    if session.scalar(query) is not None:
        raise Invalid(what=t("issue.label_name"), why=t("issue.label_exists"), field="name")


def _checked(name: str, color: str, description: str) -> tuple[str, str, str]:
    name, color = trim(name), trim(color).lower().removeprefix("#")
    if not name:
        raise Missing(what=t("issue.label_name"), field="name")
    if len(name) > MAX_NAME or any(c in name for c in ',"\n\t'):
        why = t("issue.label_form", most=MAX_NAME)
        raise Invalid(what=t("issue.label_name"), why=why, field="name")
    if not _COLOR.fullmatch(color):
        raise Invalid(what=t("issue.label_color"), why=t("issue.color_form"), field="color")
    return name, color, trim(description, MAX_DESCRIPTION)
