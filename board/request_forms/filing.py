"""File a request with a form: structured data, readable text, and to whom it goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.assignment import proposals, queue
from guardia.board.cmdb import responsibility_view
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, Move
from guardia.board.core.model import Issue, Task
from guardia.board.core.transitions import move_task
from guardia.board.issues import receiving
from guardia.board.issues.receiving import NewIssue
from guardia.board.request_forms import answers, revisions
from guardia.board.request_forms.answers import Answers, Choices
from guardia.board.request_forms.catalogue import RequestForm
from guardia.board.request_forms.model import FormRequest
from guardia.board.service_levels import days
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, Server

_CHANNEL = "web"
_MOST_CHOICES = 2000
_SUBJECT = 60
"""Characters of the first answer that the title shows."""
_ONE_DAY = timedelta(days=1)


def find_form(board: BoardContext, form_id: str) -> RequestForm:
    """Return a form of the catalogue in force. Raises `NotFound` if there is none."""
    with board.database.reading() as session:
        return _find(session, form_id)[1]


def choices_for(board: BoardContext, person: PersonInfo, form: RequestForm) -> Choices:
    """Return whom and what a person may name: customers only of their own institution."""
    with board.database.reading() as session:
        return _choices(session, person, form)


def check(
    board: BoardContext, person: PersonInfo, form_id: str, given: Mapping[str, str]
) -> Answers:
    """Return the values and the problems of all fields, without filing anything."""
    with board.database.reading() as session:
        _, form = _find(session, form_id)
        return answers.read_answers(form, given, _choices(session, person, form))


@repeat_on_conflict
def file_request(
    board: BoardContext,
    person: PersonInfo,
    form_id: str,
    given: Mapping[str, str],
    ticket: str = "",
) -> int:
    """Open an issue with what was filled in; return its number. A ticket files only once.

    Raises `NotFound` for an unknown form, `Invalid` with the first wrong field.
    """
    require_permission(person, "issue.create")
    now = board.clock()
    with board.database.transaction() as session:
        revision, form = _find(session, form_id)
        choices = _choices(session, person, form)
        found = answers.read_answers(form, given, choices)
        for field in form.fields:
            if field.id in found.problems:
                why = found.problems[field.id]
                raise Invalid(what=field.label, why=why, field=field.id)
        new = _new_issue(session, person, form, found, choices, now, ticket)
        if new.dedupe_key and (earlier := receiving.find_duplicate(session, new.dedupe_key)):
            return earlier
        sr_id = receiving.receive_within(session, new, now, for_people=not form.triage)
        session.add(
            FormRequest(
                sr_id=sr_id,
                form_id=form.id,
                title=form.title,
                revision=revision,
                fields=list(found.values),
                checklist=[{"text": text} for text in form.checklist],
            )
        )
        session.flush()
        if not form.triage:
            _give_to_people(session, session.get_one(Issue, sr_id), form, person, now)
        return sr_id


def _find(session: Session, form_id: str) -> tuple[int, RequestForm]:
    revision, known, _ = revisions.running(session)
    form = known.find(form_id)
    if form is None:
        raise NotFound(what=t("forms.form", id=form_id[:40]))
    return revision, form


def _new_issue(
    session: Session,
    person: PersonInfo,
    form: RequestForm,
    found: Answers,
    choices: Choices,
    now: datetime,
    ticket: str,
) -> NewIssue:
    first = next((one for one in found.values if one["kind"] in ("text", "server")), None)
    subject = f" — {first['value'][:_SUBJECT]}" if first is not None else ""
    data = {one["id"]: one["value"] for one in found.values}
    origin: dict[str, Any] = {"form": form.id, "fields": data}
    return NewIssue(
        text=answers.as_markdown(found.values, choices.people),
        title=f"{form.title}{subject}",
        channel=_CHANNEL,
        sender=f"{person.name} {person.title}".strip(),
        requester_id=person.id,
        institution=person.institution,
        external_id=f"{person.id}:{ticket}" if ticket else None,
        kind="REQUEST",
        category=form.category,
        priority=form.priority,
        origin=origin,
        due_on=_due_on(session, person, form, now),
    )


def _due_on(session: Session, person: PersonInfo, form: RequestForm, now: datetime) -> date | None:
    """Return the working day on which a request is due, counted from the next one."""
    if form.due_days is None:
        return None
    calendar = days.load(session).business(person.institution)
    day, left = now.astimezone(calendar.zone).date(), form.due_days
    for _ in range(10 * 366):
        day += _ONE_DAY
        left -= calendar.is_workday(day)
        if not left:
            break
    return day


def _give_to_people(
    session: Session, issue: Issue, form: RequestForm, person: PersonInfo, now: datetime
) -> None:
    """Give a request that names no server to its owner, or propose it to who fits.

    An owner who is absent is represented; one who has left is passed over.
    """
    task = session.scalars(select(Task).where(Task.sr_id == issue.sr_id)).one()
    move_task(session, task, Move.HAND_OVER, actor=ActorKind.PERSON, now=now)
    session.refresh(issue)
    by = Actor.of(person)
    owner = _present(session, form.owner, now)
    if owner and (queue.find_assignee(session, owner) or queue.find_team(session, owner)):
        queue.assign_within(session, issue, [task], owner, by, now, t("forms.default_owner"))
    else:
        proposals.propose_within(session, issue, by, now)


def _present(session: Session, owner: str, now: datetime) -> str:
    if not owner:
        return ""
    absent = responsibility_view.absent_people(session, now)
    return (absent[owner] or "") if owner in absent else owner


def _choices(session: Session, person: PersonInfo, form: RequestForm) -> Choices:
    kinds = {field.kind for field in form.fields}
    own = person.institution if person.role == "customer" else None
    return Choices(
        _people(session, own, everyone=person.role != "customer") if "person" in kinds else {},
        _servers(session, own, everyone=person.role != "customer")
        if "server" in kinds
        else frozenset(),
    )


def _people(session: Session, institution: str | None, *, everyone: bool) -> dict[str, str]:
    query = select(Person.person_id, Person.name + " " + Person.title).where(Person.active)
    if not everyone:
        query = query.where(Person.inst_id == institution)
    rows = session.execute(query.order_by(Person.name).limit(_MOST_CHOICES))
    return {account: name.strip() for account, name in rows}


def _servers(session: Session, institution: str | None, *, everyone: bool) -> frozenset[str]:
    query = select(Server.server_id)
    if not everyone:
        query = query.where(Server.inst_id == institution)
    return frozenset(session.scalars(query.order_by(Server.server_id).limit(_MOST_CHOICES * 5)))
