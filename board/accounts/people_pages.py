"""Pages of people: the list, a new account, one account with all that is done to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from pydantic import BaseModel, Field

from guardia.board.accounts import people, people_view, sessions
from guardia.board.accounts.people import AccountEdit, AccountOutcome
from guardia.board.accounts.people_view import PeopleFilter
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.access import ROLES, is_allowed
from guardia.org.directory import PersonInfo
from guardia.text import CLEANED, FOLDED, TRIMMED, CleanStr

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

PATH = "/people"
_Word = Annotated[str, Query(max_length=100), FOLDED]
_Id = Annotated[str, Path(max_length=100), FOLDED]
_Reason = Annotated[str, Form(max_length=1000), CLEANED]
_Number = Annotated[int, Form(ge=1, le=2**63 - 1)]


class AccountForm(BaseModel):
    """The form of an account, as it was sent."""

    account: Annotated[CleanStr, Field(max_length=100)] = ""
    name: Annotated[CleanStr, Field(max_length=200)] = ""
    title: Annotated[CleanStr, Field(max_length=200)] = ""
    role: Annotated[CleanStr, Field(max_length=50)] = "customer"
    institution: Annotated[CleanStr, Field(max_length=100)] = ""
    skills: Annotated[CleanStr, Field(max_length=500)] = ""
    identity: Annotated[CleanStr, Field(max_length=100)] = ""
    vendor: Annotated[CleanStr, Field(max_length=5)] = ""
    expires: Annotated[CleanStr, Field(max_length=20)] = ""
    reason: Annotated[CleanStr, Field(max_length=1000)] = ""

    @property
    def skill_names(self) -> tuple[str, ...]:
        """The skills, which are separated by commas."""
        return tuple(part for one in self.skills.split(",") if (part := one.strip()))

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day. Raises `Invalid` for what is no day."""
        if not self.expires:
            return None
        try:
            day = datetime.strptime(self.expires, "%Y-%m-%d").date()
        except ValueError:
            what = t("accounts.field.expires")
            raise Invalid(what=what, why=t("accounts.date"), field="expires") from None
        return datetime.combine(day + timedelta(days=1), time(), SEOUL) - timedelta(minutes=1)


_Given = Annotated[AccountForm, Form()]


@router.get(PATH)
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    text: _Word = "",
    role: _Word = "",
    institution: _Word = "",
    state: _Word = "",
    after: _Word = "",
) -> Response:
    """Show one page of the accounts."""
    wanted = PeopleFilter(text.strip(), role, institution, state)
    found = people_view.people_page(board, visitor.person, wanted, after=after)
    query = {"text": text, "role": role, "institution": institution, "state": state}
    return render.page(
        request,
        "accounts/people.html",
        visitor=visitor,
        found=found,
        wanted=wanted,
        query={k: v for k, v in query.items() if v},
        roles=ROLES,
        states=people_view.STATES,
    )


@router.get(f"{PATH}/new")
def new(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the form for a new account."""
    return _new_page(request, board, visitor, AccountForm())


@router.get(f"{PATH}/new/institutions")
def suggest_institutions(
    request: Request, board: BoardDep, visitor: CurrentVisitor, institution: _Word = ""
) -> Response:
    """Return the institutions that complete what is entered in a form of an account."""
    found = people_view.institutions_like(board, institution)
    return render.page(request, "accounts/institutions.html", visitor=visitor, institutions=found)


@router.post(PATH)
def add(request: Request, board: BoardDep, visitor: CurrentVisitor, form: _Given) -> Response:
    """Create an account with a one-time password, which only this response shows."""
    made = AccountOutcome()

    def act() -> None:
        nonlocal made
        person = PersonInfo(
            id=form.account,
            name=form.name,
            title=form.title,
            role=form.role,
            skills=form.skill_names,
            institution=form.institution or None,
            identity=form.identity or None,
        )
        made = people.add(
            board,
            visitor.person,
            person,
            one_time=True,
            vendor=bool(form.vendor),
            expires_at=form.expires_at,
            reason=form.reason,
        )

    answer = actions.submit_fields(
        request,
        act,
        on_success=f"{PATH}/{form.account}",
        on_refusal=partial(_new_page, request, board, visitor, form),
    )
    if answer.status_code != 303:
        return answer
    return _page(request, board, visitor, form.account.strip(), made=made)


def _new_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    form: AccountForm,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "accounts/person_new.html",
        status=status,
        visitor=visitor,
        form=form,
        notice=notice,
        field=field,
        roles=ROLES,
        institutions=people_view.institutions_like(board, form.institution),
    )


@router.get(f"{PATH}/{{account}}")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, account: _Id) -> Response:
    """Show one account."""
    return _page(request, board, visitor, account)


@router.post(f"{PATH}/{{account}}")
def edit(
    request: Request, board: BoardDep, visitor: CurrentVisitor, account: _Id, form: _Given
) -> Response:
    """Change an account."""

    def act() -> AccountOutcome:
        wanted = AccountEdit(
            form.name,
            form.title,
            form.role,
            form.institution or None,
            form.skill_names,
            form.identity or None,
            bool(form.vendor),
            form.expires_at,
            form.reason,
        )
        return people.edit(board, visitor.person, account, wanted)

    return actions.submit_fields(
        request,
        act,
        on_success=f"{PATH}/{account}",
        on_refusal=partial(_page, request, board, visitor, account, form=form),
    )


@router.post(f"{PATH}/{{account}}/state")
def set_state(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    account: _Id,
    act: Annotated[str, Form(max_length=20), TRIMMED] = "",
    reason: _Reason = "",
) -> Response:
    """Close, open, lock or unlock an account, or end its sessions."""
    by = visitor.person
    acts: dict[str, Callable[[], object]] = {
        "close": lambda: people.set_active(board, by, account, active=False, reason=reason),
        "open": lambda: people.set_active(board, by, account, active=True, reason=reason),
        "lock": lambda: people.set_locked(board, by, account, locked=True, reason=reason),
        "unlock": lambda: people.set_locked(board, by, account, locked=False, reason=reason),
        "sessions": lambda: sessions.end_all(board, by, account),
    }

    def run() -> object:
        if act not in acts:
            raise Invalid(what=act, why=", ".join(acts))
        return acts[act]()

    return _submit(request, board, visitor, account, run)


@router.post(f"{PATH}/{{account}}/password")
def password(request: Request, board: BoardDep, visitor: CurrentVisitor, account: _Id) -> Response:
    """Make a one-time password, which only this response shows."""
    made = ""

    def act() -> None:
        nonlocal made
        made = people.set_password(board, visitor.person, account)

    answer = _submit(request, board, visitor, account, act)
    if answer.status_code != 303:
        return answer
    return _page(request, board, visitor, account, made=AccountOutcome(password=made))


@router.post(f"{PATH}/{{account}}/join")
def join(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    account: _Id,
    other: Annotated[str, Form(max_length=100), FOLDED] = "",
) -> Response:
    """Record that another account belongs to the same human."""
    return _submit(
        request,
        board,
        visitor,
        account,
        lambda: people.join_accounts(board, visitor.person, account, other.strip()),
    )


@router.post(f"{PATH}/{{account}}/session")
def end_session(
    request: Request, board: BoardDep, visitor: CurrentVisitor, account: _Id, number: _Number
) -> Response:
    """End one session of an account."""
    return _submit(
        request,
        board,
        visitor,
        account,
        lambda: sessions.end(board, visitor.person, number, account),
    )


def _submit(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    account: str,
    act: Callable[[], object],
) -> Response:
    return actions.submit(
        request,
        act,
        on_success=f"{PATH}/{account}",
        on_refusal=partial(_page, request, board, visitor, account),
    )


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    account: str,
    *,
    form: AccountForm | None = None,
    made: AccountOutcome | None = None,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    found = people_view.account(board, visitor.person, account)
    manages = is_allowed(visitor.person, "person.manage")
    form = form or _form_of(found)
    return render.page(
        request,
        "accounts/person.html",
        status=status,
        visitor=visitor,
        found=found,
        form=form,
        made=made,
        notice=notice,
        field=field,
        roles=ROLES,
        institutions=people_view.institutions_like(board, form.institution) if manages else [],
        sessions=sessions.list_sessions(board, visitor.person, account) if manages else [],
        sign_ins=sessions.sign_ins(board, visitor.person, account),
    )


def _form_of(found: Any) -> AccountForm:
    person, state = found.person, found.state
    expires = state.expires_at.astimezone(SEOUL).strftime("%Y-%m-%d") if state.expires_at else ""
    return AccountForm(
        account=person.id,
        name=person.name,
        title=person.title,
        role=person.role,
        institution=person.institution or "",
        skills=", ".join(person.skills),
        identity=person.identity or "",
        vendor="yes" if state.vendor else "",
        expires=expires,
    )
