"""Decide requests of rights: by a second person, never the one who asks or gains."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.accounts import account_fields
from guardia.board.accounts.account_fields import audit_detail, difference, record
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import ActorKind
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.rights import history, requests
from guardia.board.rights.history import ChangedRight
from guardia.board.rights.model import RightRequest
from guardia.board.rights.policy import Human, Kind, may_decide
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Missing, NotFound, Stale
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

_AT_ONCE = frozenset({Kind.ROLE, Kind.OPEN, Kind.IDENTITY})
"""Kinds that a decision carries out; the others permit an act that is then repeated."""


@repeat_on_conflict
def decide(
    board: BoardContext, by: PersonInfo, number: int, *, allow: bool, note: str = ""
) -> None:
    """Allow or refuse a request.

    Raises `Forbidden` for who gains the right or asked for it, `Stale` if the request was
    decided or lapsed, or the account has changed since.
    """
    require_permission(by, "right.decide")
    if not allow and not note:
        raise Missing(what=t("accounts.request.note"), field="note")
    if allow:
        board.sign_checkpoint()
    now = board.clock()
    with board.database.transaction() as session:
        requests.lapse_old(session, now)
        # The account first: every other use case locks in this order.
        person_id = _person_of(session, number)
        row = account_fields.find(session, person_id)
        request = session.get(RightRequest, number, with_for_update=True, populate_existing=True)
        if request is None or request.state != "WAITING":
            raise Stale(what=t("accounts.request.name", number=number))
        _require_second_person(session, by, request)
        actor = Actor.of(by)
        request.decided_by, request.decided_at, request.note = str(actor), now, note
        request.state = ("DONE" if _is_at_once(request) else "APPROVED") if allow else "REJECTED"
        done = _carry_out(session, board, row, request, now) if allow else {}
        session.flush()
        _notify(session, request, now, allow=allow)
        if done:
            record(session, board, actor, EntryKind.PERSON_CHANGED, row, done)
        _log(session, request, actor, now, allow=allow)


def _person_of(session: Session, number: int) -> str:
    request = session.get(RightRequest, number)
    if request is None:
        raise NotFound(what=t("accounts.request.name", number=number))
    return request.person_id


def _is_at_once(request: RightRequest) -> bool:
    return Kind(request.kind) in _AT_ONCE


def _require_second_person(session: Session, by: PersonInfo, request: RightRequest) -> None:
    asked = Actor.parse(request.requested_by)
    requester = None
    if asked is not None and asked.kind is ActorKind.PERSON:
        requester = requests.human_of(session, asked.id)
    decider = Human(by.id, requests.human_of(session, by.id), by.role)
    if not may_decide(decider, requests.human_of(session, request.person_id), requester):
        raise Forbidden(who=f"{by.name} {by.title}", action=t("accounts.request.second"))


def _carry_out(
    session: Session, board: BoardContext, row: Person, request: RightRequest, now: datetime
) -> dict[str, object]:
    """Do what the request asks for; returns what is different at the account."""
    if not _is_at_once(request):
        return {}
    before, wanted, kind = audit_detail(row), request.wanted, Kind(request.kind)
    if kind is Kind.OPEN:
        _require_same(row.role, wanted["role"])
        account_fields.checked_role(session, row, row.role)
        row.active = True
        change = ChangedRight(row.person_id, "open", None, row.role)
    elif kind is Kind.ROLE:
        _require_same(row.role, wanted["before"])
        row.role = account_fields.checked_role(session, row, wanted["role"])
        change = ChangedRight(row.person_id, "role", wanted["before"], row.role)
    else:
        _require_same(row.identity, wanted["before"])
        row.identity = wanted["identity"]
        change = ChangedRight(row.person_id, "identity", wanted["before"], row.identity)
    history.record(session, change, request.requested_by, now, request)
    return difference(before, audit_detail(row))


def _require_same(found: str | None, expected: str | None) -> None:
    if found != expected:
        raise Stale(what=t("accounts.request.account"))


def _notify(session: Session, request: RightRequest, now: datetime, *, allow: bool) -> None:
    asked = Actor.parse(request.requested_by)
    if asked is None or asked.kind is not ActorKind.PERSON:
        return
    key = "allowed" if allow else "refused"
    words = {"number": request.request_id, "person": request.person_id, "note": request.note}
    text = t_default(f"rights.{key}", subject=log_label("org.role", request.subject), **words)
    outbox.notify(session, NoticeKind.DONE, text, [asked.id], now, sr_id=None)


def _log(
    session: Session, request: RightRequest, actor: Actor, now: datetime, *, allow: bool
) -> None:
    log.append(
        session,
        EntryKind.RIGHT_DECIDED,
        actor=str(actor),
        now=now,
        detail={
            "request": request.request_id,
            "kind": request.kind,
            "person": request.person_id,
            "subject": request.subject,
            "allowed": allow,
            "note": request.note,
        },
        who=actor.label,
        number=request.request_id,
        person=request.person_id,
        subject=request.subject,
        verdict=t_default("rights.verdict.allowed" if allow else "rights.verdict.refused"),
    )


@repeat_on_conflict
def withdraw(board: BoardContext, by: PersonInfo, number: int) -> None:
    """Withdraw an own request. Raises `NotFound` if it is another person's."""
    require_permission(by, "person.manage")
    now = board.clock()
    with board.database.transaction() as session:
        request = session.get(RightRequest, number, with_for_update=True)
        actor = Actor.of(by)
        if request is None or request.requested_by != str(actor):
            raise NotFound(what=t("accounts.request.name", number=number))
        if request.state not in {"WAITING", "APPROVED"}:
            raise Stale(what=t("accounts.request.name", number=number))
        request.state, request.decided_by, request.decided_at = "WITHDRAWN", str(actor), now
        session.flush()
        _log(session, request, actor, now, allow=False)
