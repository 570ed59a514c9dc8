"""The fields of an issue's side panel: what can be chosen, and the use case that sets each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.assignment import issue_section, queue
from guardia.board.control import directive_options, directives, retargeting
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import parse_issue_ref
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.issues import changing, editing, family, labels, visibility
from guardia.board.issues.model import IssueLabel, Label
from guardia.errors import Forbidden, Invalid, Refused
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo

Field = Literal["text", "assignee", "priority", "labels", "due", "server", "parent"]
FIELDS: tuple[Field, ...] = get_args(Field)
PRIORITIES = ("P1", "P2", "P3", "P4")
_PERMISSIONS: dict[Field, str] = {
    "text": editing.ACTION,
    "assignee": "issue.assign",
    "priority": "directive.priority",
    "labels": labels.ON_ISSUE,
    "due": family.ACTION,
    "server": retargeting.ACTION,
    "parent": family.ACTION,
}


@dataclass(frozen=True, slots=True)
class FieldOption:
    """Something to choose."""

    value: str
    label: str
    group: str = ""
    color: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class FieldForm:
    """The form of one field."""

    field: Field
    chosen: tuple[str, ...] = ()
    options: tuple[FieldOption, ...] = ()
    title: str = ""
    body: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class FieldInput:
    """What a form sends."""

    chosen: tuple[str, ...] = ()
    title: str = ""
    body: str = ""
    seen: str = ""
    reason: str = field(default="")

    @property
    def one(self) -> str:
        """Return the only value; empty if there is none."""
        return self.chosen[0] if self.chosen else ""


def read_form(board: BoardContext, viewer: PersonInfo, sr_id: int, name: Field) -> FieldForm:
    """Return the form of a field. Raises `NotFound` or `Forbidden`."""
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        require_permission(viewer, _PERMISSIONS[name], institution=issue.inst_id)
        if name == "text":
            if not editing.may_edit(session, viewer, issue):
                raise Forbidden(who=Actor.of(viewer).label, action=t("org.right.issue.edit"))
            seen = changing.text_token(issue.title, issue.body)
            return FieldForm(name, (), (), issue.title, issue.body, seen)
        chosen, options = _READERS[name](session, issue)
        return FieldForm(name, chosen, options)


def set_field(
    board: BoardContext, person: PersonInfo, sr_id: int, name: Field, given: FieldInput
) -> None:
    """Set a field by its use case, which checks the permission and writes the audit entry."""
    visibility.require_issue(board, person, sr_id)
    _WRITERS[name](board, person, sr_id, given)


# --- what can be chosen ----------------------------------------------------------------------

_Choice = tuple[tuple[str, ...], tuple[FieldOption, ...]]


def _assignee(session: Session, issue: Issue) -> _Choice:
    people = [FieldOption(v, label, "people") for v, label in issue_section.assignees(session)]
    agents = [
        FieldOption(str(Actor.agent(one.id)), one.name, "agents")
        for one in directive_options.assignees(session)
        if one.is_agent
    ]
    with_agent = any(directive_options.agents_can_take(State(s)) for s in _states(session, issue))
    chosen = (issue.assignee_id,) if issue.assignee_id else ()
    return chosen, (*people, *(agents if with_agent else ()))


def _states(session: Session, issue: Issue) -> Sequence[str]:
    return session.scalars(select(Task.status).where(Task.sr_id == issue.sr_id)).all()


def _priority(_session: Session, issue: Issue) -> _Choice:
    options = tuple(FieldOption(one, f"{one} {t(f'web.priority.{one}')}") for one in PRIORITIES)
    return ((issue.priority,) if issue.priority else ()), options


def _labels(session: Session, issue: Issue) -> _Choice:
    rows = session.scalars(select(Label).order_by(Label.match_key))
    options = [FieldOption(str(r.label_id), r.name, "", r.color, r.description) for r in rows]
    mine = select(IssueLabel.label_id).where(IssueLabel.sr_id == issue.sr_id)
    return tuple(map(str, session.scalars(mine))), tuple(options)


def _due(_session: Session, issue: Issue) -> _Choice:
    return ((issue.due_on.isoformat(),) if issue.due_on else ()), ()


def _server(session: Session, issue: Issue) -> _Choice:
    servers = retargeting.servers_for(session, issue)
    open_states = [state.value for state in OPEN_STATES]
    mine = select(Task.target_server).where(Task.sr_id == issue.sr_id, Task.status.in_(open_states))
    chosen = tuple(filter(None, session.scalars(mine)))
    return chosen, tuple(FieldOption(one, one) for one in servers)


def _parent(_session: Session, issue: Issue) -> _Choice:
    return ((str(issue.parent_id),) if issue.parent_id else ()), ()


_READERS: dict[Field, Callable[[Session, Issue], _Choice]] = {
    "assignee": _assignee,
    "priority": _priority,
    "labels": _labels,
    "due": _due,
    "server": _server,
    "parent": _parent,
}


# --- setting it ------------------------------------------------------------------------------


def _set_text(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    editing.edit(board, person, sr_id, given.title, given.body, given.seen)


def _set_assignee(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    kind, _, agent = given.one.partition(":")
    if kind != "agent":
        queue.assign(board, person, sr_id, given.one, given.reason)
        return
    _direct(board, person, sr_id, DirectiveRequest("reassign", given.reason, agent))


def _set_priority(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    _direct(board, person, sr_id, DirectiveRequest("priority", given.reason, given.one), most=1)


def _direct(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    request: DirectiveRequest,
    most: int | None = None,
) -> None:
    """Issue a directive for the tasks that accept it; a priority is one of all tasks."""
    require_permission(person, f"directive.{request.verb}")
    tasks = directives.eligible_tasks(board, sr_id, request.verb)[:most]
    if not tasks:
        raise Refused(why=t("issue.no_open_task"))
    for task_id in tasks:
        directives.issue_directive(board, person, task_id, request)


def _set_labels(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    numbers = [int(one) for one in given.chosen if one.isascii() and one.isdigit()]
    labels.set_labels(board, person, sr_id, numbers)


def _set_due(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    try:
        due = date.fromisoformat(given.one) if given.one else None
    except ValueError:
        why = t("issue.due_form")
        raise Invalid(what=t("goals.page.due"), why=why, field="value") from None
    family.set_due(board, person, sr_id, due)


def _set_server(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    retargeting.set_server(board, person, sr_id, given.one, given.reason)


def _set_parent(board: BoardContext, person: PersonInfo, sr_id: int, given: FieldInput) -> None:
    parent = number_of(given.one) if given.one else None
    family.set_parent(board, person, sr_id, parent)


def number_of(text: str) -> int:
    """Return the number of the issue that a field names. Raises `Invalid` if it names none."""
    found = parse_issue_ref(text)
    if not found:
        raise Invalid(what=t("issue.number"), why=t("issue.parent_form"), field="value")
    return found


_WRITERS: dict[Field, Callable[[BoardContext, PersonInfo, int, FieldInput], None]] = {
    "text": _set_text,
    "assignee": _set_assignee,
    "priority": _set_priority,
    "labels": _set_labels,
    "due": _set_due,
    "server": _set_server,
    "parent": _set_parent,
}


def editable_fields(viewer: PersonInfo, status: State) -> frozenset[str]:
    """Return the fields of the panel that a viewer may set while the issue has this state."""
    needs_task = {"assignee", "priority", "server"}
    return frozenset(
        name
        for name in FIELDS
        if is_allowed(viewer, _PERMISSIONS[name])
        and (status in OPEN_STATES or name not in needs_task)
    )
