"""Changes of issues that GitHub's clients ask for, by the board's use cases.

Each use case is a transaction of its own; what is asked for is checked before the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from guardia.board.assignment import queue, unassigning
from guardia.board.control import directives, reopening
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue, Task
from guardia.board.github_api.repositories import Repository
from guardia.board.issues import editing, labels, receiving, visibility
from guardia.board.issues.model import Label
from guardia.errors import IllegalMove, Invalid, NoSuchAssignee, NotFound, Refused
from guardia.i18n import t
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person
from guardia.text import matching_form

CHANNEL = "api"
_NEW_COLOR = "8a8f98"
_ABORTING = ("not_planned", "duplicate")


@dataclass(frozen=True, slots=True)
class IssueChange:
    """What to change of an issue; `None` leaves it as it is."""

    title: str | None = None
    body: str | None = None
    state: str | None = None
    state_reason: str | None = None
    labels: Sequence[str] | None = None
    assignees: Sequence[str] | None = None


def require_in(board: BoardContext, viewer: PersonInfo, repository: Repository, sr_id: int) -> None:
    """Raise `NotFound` unless the viewer may see this issue of the repository."""
    with board.database.reading() as session:
        visibility.find_issue(session, viewer, sr_id)
        if (
            session.scalar(select(Issue.sr_id).where(Issue.sr_id == sr_id, repository.condition()))
            is None
        ):
            raise NotFound(what=f"{repository.full_name}#{sr_id}")


def create(
    board: BoardContext, person: PersonInfo, repository: Repository, wanted: IssueChange
) -> int:
    """Open an issue and return its number.

    As on GitHub, labels and assignees of people who may not set them are left out.
    """
    require_permission(person, "issue.create", institution=repository.institution)
    assignees = list(wanted.assignees or ()) if is_allowed(person, queue.ACTION) else []
    person_id = _assignee(board, assignees)
    new = receiving.NewIssue(
        text=wanted.body or wanted.title or "",
        title=wanted.title or "",
        channel=CHANNEL,
        sender=f"{person.name} {person.title}".strip(),
        requester_id=person.id,
        institution=repository.institution or person.institution,
        talk=(repository.server,) if repository.server else (),
        server=repository.server,
    )
    sr_id = receiving.receive_issue(board, new)
    if wanted.labels and is_allowed(person, labels.ON_ISSUE):
        set_labels(board, person, sr_id, wanted.labels)
    if person_id:
        queue.assign(board, person, sr_id, person_id)
    return sr_id


def change(board: BoardContext, person: PersonInfo, sr_id: int, wanted: IssueChange) -> None:
    """Change an issue."""
    if wanted.title is not None or wanted.body is not None:
        _edit(board, person, sr_id, wanted)
    if wanted.labels is not None:
        set_labels(board, person, sr_id, wanted.labels)
    if wanted.assignees is not None:
        set_assignees(board, person, sr_id, wanted.assignees)
    if wanted.state == "closed":
        close(board, person, sr_id, wanted.state_reason or "completed")
    elif wanted.state == "open":
        reopen(board, person, sr_id)


def _edit(board: BoardContext, person: PersonInfo, sr_id: int, wanted: IssueChange) -> None:
    with board.database.reading() as session:
        row = visibility.find_issue(session, person, sr_id)
        title = row.title if wanted.title is None else wanted.title
        # GitHub's issues may have no description, the board's always say something.
        body = row.body if wanted.body is None else wanted.body or title
    editing.edit(board, person, sr_id, title, body)


# --- Labels -------------------------------------------------------------------------------------


def set_labels(board: BoardContext, person: PersonInfo, sr_id: int, names: Iterable[str]) -> None:
    """Give an issue exactly these labels; one that does not exist is created."""
    require_permission(person, labels.ON_ISSUE)
    labels.set_labels(board, person, sr_id, _label_numbers(board, person, names))


def add_labels(board: BoardContext, person: PersonInfo, sr_id: int, names: Iterable[str]) -> None:
    """Add labels to an issue."""
    set_labels(board, person, sr_id, [*labels_of(board, sr_id), *names])


def remove_label(board: BoardContext, person: PersonInfo, sr_id: int, name: str) -> None:
    """Remove a label from an issue. Raises `NotFound` if it does not have it."""
    had = labels_of(board, sr_id)
    rest = [one for one in had if matching_form(one) != matching_form(name)]
    if len(rest) == len(had):
        raise NotFound(what=name)
    set_labels(board, person, sr_id, rest)


def labels_of(board: BoardContext, sr_id: int) -> list[str]:
    """Return the names of an issue's labels."""
    from guardia.board.github_api.issue_bodies import labels_by_issue

    with board.database.reading() as session:
        return [one.name for one in labels_by_issue(session, [sr_id]).get(sr_id, ())]


def _label_numbers(board: BoardContext, person: PersonInfo, names: Iterable[str]) -> list[int]:
    wanted = {matching_form(name): name for name in names}
    with board.database.reading() as session:
        query = select(Label.match_key, Label.label_id).where(Label.match_key.in_(wanted))
        known = dict(session.execute(query).all())
    missing = [name for key, name in wanted.items() if key not in known]
    if missing:
        require_permission(person, labels.EDIT)
    made = [labels.create(board, person, name, _NEW_COLOR).label_id for name in missing]
    return [*known.values(), *made]


# --- Assignees ----------------------------------------------------------------------------------


def set_assignees(
    board: BoardContext, person: PersonInfo, sr_id: int, logins: Sequence[str]
) -> None:
    """Assign an issue to a person, or with an empty list to no one."""
    require_permission(person, queue.ACTION)
    wanted = _assignee(board, logins)
    with board.database.reading() as session:
        current = visibility.find_issue(session, person, sr_id).assignee_id
    if wanted == current:
        return
    if wanted is None:
        unassigning.unassign(board, person, sr_id)
    else:
        queue.assign(board, person, sr_id, wanted)


def _assignee(board: BoardContext, logins: Sequence[str]) -> str | None:
    """Return the person with a login. Raises `Invalid` if there are several, or no such person."""
    if not logins:
        return None
    if len(logins) > 1:
        raise Invalid(what="assignees", why=t("github.one_assignee"))
    with board.database.reading() as session:
        query = select(Person.person_id).where(func.lower(Person.person_id) == logins[0].lower())
        found = session.scalar(query.limit(1))
        if found is None or queue.find_assignee(session, found) is None:
            raise NoSuchAssignee(what=logins[0])
        return found


def is_assignable(board: BoardContext, login: str) -> bool:
    """Return whether issues can be assigned to a login."""
    try:
        return _assignee(board, [login]) is not None
    except NoSuchAssignee:
        return False


# --- State --------------------------------------------------------------------------------------


def close(board: BoardContext, person: PersonInfo, sr_id: int, reason: str) -> None:
    """Close an issue: abort its open tasks, or complete them as done by this person.

    Raises `IllegalMove` for `completed` while an agent is changing a server, `Refused` for a goal.
    """
    verbs = ("abort",) if reason in _ABORTING else ("manual", "complete")
    for verb in verbs:
        require_permission(person, f"directive.{verb}")
    tasks = _open_tasks(board, person, sr_id)
    if "complete" in verbs and any(state is State.IN_PROGRESS for _, state in tasks):
        move = t("board.verb.complete")
        raise IllegalMove(state=t(f"state.{State.IN_PROGRESS}"), move=move)
    why = t("github.closed", reason=reason)
    for task_id, state in tasks:
        for verb in verbs:
            if verb != "manual" or state is not State.MANUAL:
                directives.issue_directive(board, person, task_id, DirectiveRequest(verb, why))


def _open_tasks(board: BoardContext, person: PersonInfo, sr_id: int) -> list[tuple[int, State]]:
    with board.database.reading() as session:
        issue = visibility.find_issue(session, person, sr_id)
        query = select(Task.task_id, Task.status).where(Task.sr_id == sr_id).order_by(Task.task_id)
        found = [(number, State(status)) for number, status in session.execute(query)]
        if not found and State(issue.status) in OPEN_STATES:
            raise Refused(why=t("github.goal"))
        return [(number, state) for number, state in found if state in OPEN_STATES]


def reopen(board: BoardContext, person: PersonInfo, sr_id: int) -> None:
    """Reopen an issue; no effect if it is open."""
    with board.database.reading() as session:
        status = visibility.find_issue(session, person, sr_id).status
    if State(status) not in OPEN_STATES:
        reopening.reopen(board, person, sr_id, t("github.reopened"))
