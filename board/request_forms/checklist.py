"""The form of an issue, and its checklist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.issues import visibility
from guardia.board.request_forms import answers
from guardia.board.request_forms.model import FormRequest
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo

_WORK = "directive.complete"


@dataclass(frozen=True, slots=True)
class FormView:
    """What was filled in, and what is checked already."""

    sr_id: int
    form_id: str
    title: str
    fields: tuple[tuple[str, str], ...]
    """Labels and texts."""
    checklist: tuple[dict[str, Any], ...]
    """Empty for customers."""
    can_check: bool


def read_form(board: BoardContext, viewer: PersonInfo, sr_id: int) -> FormView | None:
    """Return the form of an issue, or `None` if it was filed without one."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        row = session.get(FormRequest, sr_id)
        if row is None:
            return None
        staff = is_allowed(viewer, "plan.read")
        return FormView(
            sr_id,
            row.form_id,
            row.title,
            tuple((one["label"], answers.shown_value(one, {})) for one in row.fields),
            tuple(row.checklist) if staff else (),
            is_allowed(viewer, _WORK),
        )


@repeat_on_conflict
def check_item(
    board: BoardContext, person: PersonInfo, sr_id: int, number: int, *, is_done: bool
) -> None:
    """Check an item of the checklist, or take it back. Raises `NotFound` if there is none."""
    require_permission(person, _WORK)
    now = board.clock()
    with board.database.transaction() as session:
        visibility.find_issue(session, person, sr_id)
        row = session.get(FormRequest, sr_id, with_for_update=True)
        if row is None or not 0 <= number < len(row.checklist):
            raise NotFound(what=t("forms.item", number=number + 1))
        items = [dict(one) for one in row.checklist]
        items[number] = {"text": items[number]["text"]}
        if is_done:
            items[number] |= {"by": Actor.of(person).label, "at": now.isoformat()}
        row.checklist = items
