"""The rights of approvers, administrators and security officers need a second person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from board_env import ENGINEER, LEAD, OFFICER, PM, BoardEnv
from page_env import ADMIN, enrol_page_users
from second_person import allow_waiting, waiting_requests
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from guardia.board.accounts import messenger_links, people, right_decisions
from guardia.board.accounts.people import AccountEdit
from guardia.board.approvals import absences, delegations
from guardia.board.approvals.absences import AbsenceRequest
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.notices import Notice
from guardia.board.organization import chart as charts
from guardia.board.rights import requests
from guardia.board.rights.model import RightChange, RightRequest
from guardia.errors import Forbidden, Invalid, Missing, SecondPersonNeeded, Stale
from guardia.org import chart
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

OPERATOR = Actor.operator("cli")
SECOND_ADMIN = PersonInfo(id="admin2", name="문가온", title="과장", role="admin")
EVERYONE = [OPERATOR, ADMIN]


@pytest.fixture
def board(env: BoardEnv) -> Any:
    enrol_page_users(env)
    return env.board


def role_of(board: Any, account: str) -> str | None:
    """Return the role of an open account."""
    with board.database.reading() as session:
        row = session.get(Person, account)
        return row.role if row is not None and row.active else None


def new(role: str, account: str = "new") -> PersonInfo:
    return PersonInfo(id=account, name="새 사람", title="과장", role=role)


def edit_to(role: str) -> AccountEdit:
    return AccountEdit("김철수", "대리", role, None, ("DB",), None, vendor=False, expires_at=None)


ACTS: dict[str, Callable[[Any, Any], object]] = {
    "a new account": lambda board, by: people.add(board, by, new("admin")),
    "an import": lambda board, by: people.import_people(
        board, by if isinstance(by, Actor) else Actor.of(by), [new("admin")]
    ),
    "the role of an account": lambda board, by: people.set_role(board, by, "eng", "admin"),
    "an edit": lambda board, by: people.edit(board, by, "eng", edit_to("admin")),
    "an import over an account": lambda board, by: people.import_people(
        board,
        by if isinstance(by, Actor) else Actor.of(by),
        [ENGINEER.model_copy(update={"role": "admin"})],
    ),
}


@pytest.mark.parametrize("by", EVERYONE, ids=["operator", "administrator"])
@pytest.mark.parametrize("way", ACTS)
def test_a_role_waits_for_a_second_person_on_every_way(board: Any, way: str, by: Any) -> None:
    account = "new" if "new" in way or way == "an import" else "eng"
    before = role_of(board, account)
    ACTS[way](board, by)
    assert role_of(board, account) == before, "nothing is given yet"
    [number] = waiting_requests(board)
    ACTS[way](board, by) if account == "eng" else None
    assert waiting_requests(board) == [number], "the same again is the same request"
    right_decisions.decide(board, OFFICER, number, allow=True)
    assert role_of(board, account) == "admin"
    with board.database.reading() as session:
        change = session.scalars(select(RightChange).where(RightChange.request_id == number)).one()
        kinds = list(session.scalars(select(AuditEntry.kind).order_by(AuditEntry.seq)))
    assert (change.after, change.decided_by) == ("admin", "person:officer")
    assert {"right_requested", "right_decided"} <= set(kinds)


@pytest.mark.parametrize("role", ["team_lead", "pm", "security_officer", "admin"])
def test_each_role_of_approvers_waits_and_the_others_do_not(board: Any, role: str) -> None:
    assert people.set_role(board, ADMIN, "eng", role).request
    assert people.set_role(board, ADMIN, "cus3", "auditor").request is None
    assert role_of(board, "cus3") == "auditor"


def test_a_closed_approver_is_opened_by_two_and_closed_by_one(board: Any) -> None:
    people.set_active(board, ADMIN, "lead", active=False)
    assert role_of(board, "lead") is None
    people.set_active(board, ADMIN, "lead", active=True)
    assert role_of(board, "lead") is None
    allow_waiting(board)
    assert role_of(board, "lead") == "team_lead"
    people.set_role(board, ADMIN, "lead", "engineer")
    assert role_of(board, "lead") == "engineer", "taking rights away needs no one"


def test_a_role_changed_while_the_account_waits_is_not_opened(board: Any) -> None:
    people.add(board, ADMIN, new("team_lead"))
    [number] = waiting_requests(board)
    people.set_role(board, ADMIN, "new", "admin")
    with pytest.raises(Stale):
        right_decisions.decide(board, OFFICER, number, allow=True)
    assert role_of(board, "new") is None


def test_neither_who_asks_nor_who_gains_decides_under_any_account(board: Any) -> None:
    people.set_role(board, ADMIN, "officer", "admin")
    [number] = waiting_requests(board)
    for who in (OFFICER, ADMIN, LEAD, PM):
        with pytest.raises(Forbidden):
            right_decisions.decide(board, who, number, allow=True)
    # A second account of the one who asks, and of the one who gains.
    with board.database.transaction() as session:
        for account, human in (("admin2", "admin"), ("admin3", "officer")):
            session.add(
                Person(
                    person_id=account, name="또", title="", role="admin", skills=[], identity=human
                )
            )
    for account in ("admin2", "admin3"):
        alias = PersonInfo(id=account, name="또", title="", role="admin")
        with pytest.raises(Forbidden):
            right_decisions.decide(board, alias, number, allow=True)
    assert role_of(board, "officer") == "security_officer"


def test_accounts_of_one_human_are_not_parted_to_decide_for_oneself(board: Any) -> None:
    people.join_accounts(board, OPERATOR, "lead", "admin")
    for by in (ADMIN, OPERATOR):
        people.set_identity(board, by, "lead", None)
        people.set_identity(board, by, "lead", "somebody")
    with board.database.reading() as session:
        assert requests.human_of(session, "lead") == requests.human_of(session, "admin")
    assert len(waiting_requests(board)) == 1, "leaving out the name that it has already"


@pytest.mark.slow
def test_a_password_of_an_approver_is_not_replaced_by_one_person(board: Any) -> None:
    for by in (ADMIN, OPERATOR):
        with pytest.raises(SecondPersonNeeded):
            people.set_password(board, by, "lead")
    allow_waiting(board)
    assert people.set_password(board, ADMIN, "lead")
    with pytest.raises(SecondPersonNeeded):
        people.set_password(board, ADMIN, "lead"), "an approval is used once"
    assert people.set_password(board, ADMIN, "eng"), "an engineer's needs no one"


@pytest.mark.slow
def test_a_chart_names_approvers_only_with_a_second_person(board: Any) -> None:
    text = chart.shipped_chart_path().read_text("utf-8")
    named = text + "duties:\n  - {role: security_officer, people: [lead], substitutes: [pm]}\n"
    for by in (OPERATOR, Actor.of(ADMIN)):
        with pytest.raises(SecondPersonNeeded):
            charts.apply_chart(board, named, by)
    assert charts.running(board)[1].duties == ()
    assert len(waiting_requests(board)) == 2
    allow_waiting(board)
    revision = charts.apply_chart(board, named, OPERATOR)
    assert charts.running(board)[0] == revision
    # Going back and forth gives the right again, so it is asked again.
    charts.apply_chart(board, text, OPERATOR)
    with pytest.raises(SecondPersonNeeded):
        charts.rollback(board, revision, OPERATOR)
    # Their own role gives nobody a right that they lack.
    charts.apply_chart(board, text + "duties:\n  - {role: team_lead, people: [lead]}\n", OPERATOR)


def test_another_persons_decisions_are_not_delegated_by_one(board: Any) -> None:
    ends = board.clock() + timedelta(days=1)
    with pytest.raises(SecondPersonNeeded):
        delegations.delegate(board, ADMIN, "eng", ends=ends, principal="lead")
    day = date.today() + timedelta(days=1)
    away = [AbsenceRequest("lead", day, day, "eng")]
    with pytest.raises(SecondPersonNeeded):
        absences.set_absences(board, OPERATOR, away)
    assert delegations.overview(board, ENGINEER).received == ()
    assert delegations.delegate(board, LEAD, "eng", ends=ends), "one's own need no one"
    allow_waiting(board)
    assert absences.set_absences(board, OPERATOR, away) == 1


def test_a_messenger_account_speaks_for_an_approver_only_after_two(board: Any) -> None:
    for by in (OPERATOR, ADMIN):
        with pytest.raises(SecondPersonNeeded):
            messenger_links.link(board, by, "lead", "mattermost", "u1")
    messenger_links.link(board, ADMIN, "eng", "mattermost", "u2")
    allow_waiting(board)
    messenger_links.link(board, ADMIN, "lead", "mattermost", "u1")


def test_no_vendor_becomes_an_administrator(board: Any) -> None:
    ends = board.clock() + timedelta(days=30)
    for role in ("admin", "security_officer"):
        with pytest.raises(Invalid):
            people.add(board, ADMIN, new(role), vendor=True, expires_at=ends)
    with pytest.raises(Invalid):
        people.add(board, ADMIN, new("engineer"), vendor=True)
    people.add(board, ADMIN, new("engineer"), vendor=True, expires_at=ends)
    for role in ("admin", "security_officer"):
        with pytest.raises(Invalid):
            people.set_role(board, ADMIN, "new", role)
        with pytest.raises(Invalid):
            people.import_people(board, OPERATOR, [new(role)])


def test_a_refusal_gives_a_reason_and_ends_it(board: Any) -> None:
    people.set_role(board, ADMIN, "eng", "pm", reason="인사 발령")
    [number] = waiting_requests(board)
    with pytest.raises(Missing):
        right_decisions.decide(board, OFFICER, number, allow=False)
    right_decisions.decide(board, OFFICER, number, allow=False, note="근거 없음")
    with pytest.raises(Stale):
        right_decisions.decide(board, OFFICER, number, allow=True)
    assert role_of(board, "eng") == "engineer"
    with board.database.reading() as session:
        notices = session.scalars(select(Notice.person_id).order_by(Notice.notice_id)).all()
    assert notices == ["officer", "admin"], "who may decide, then who asked"


def test_a_request_lapses(board: Any) -> None:
    people.set_role(board, ADMIN, "eng", "pm")
    [number] = waiting_requests(board)
    with board.database.transaction() as session:
        session.execute(update(RightRequest).values(lapses_at=board.clock()))
    with pytest.raises(Stale):
        right_decisions.decide(board, OFFICER, number, allow=True)
    assert role_of(board, "eng") == "engineer"


def test_the_operator_gives_rights_alone_only_while_there_is_no_one_to_ask(env: BoardEnv) -> None:
    board = env.board
    with board.database.transaction() as session:
        session.execute(
            update(Person).where(Person.role == "security_officer").values(active=False)
        )
    assert people.add(board, OPERATOR, SECOND_ADMIN).request is None
    assert role_of(board, "admin2") == "admin"
    with board.database.reading() as session:
        entry = session.scalars(
            select(AuditEntry).where(AuditEntry.kind == "right_bootstrapped")
        ).one()
    assert entry.detail["rights"] == ["admin2 admin"]
    assert people.add(board, OPERATOR, new("security_officer")).request, "now there is one"
    # A person never acts alone, even where nobody could decide.
    assert people.set_role(board, SECOND_ADMIN, "eng", "admin").request


def test_a_directory_is_the_beginning_of_an_installation(env: BoardEnv) -> None:
    board = env.board
    with board.database.transaction() as session:
        session.execute(update(Person).values(active=False))
    everyone = [new("admin", "a"), new("security_officer", "s"), new("team_lead", "t")]
    assert people.import_people(board, OPERATOR, everyone) == 3
    assert [role_of(board, p.id) for p in everyone] == ["admin", "security_officer", "team_lead"]
    assert people.import_people(board, OPERATOR, [*everyone, new("pm", "p")]) == 1
    assert role_of(board, "p") is None, "the next one waits"
    with board.database.reading() as session:
        alerts = session.scalars(select(Notice.person_id).where(Notice.kind == "alert")).all()
    assert alerts == ["s"], "security officers are told"


def test_the_history_cannot_be_changed_and_is_kept_for_three_years(board: Any) -> None:
    people.set_role(board, ADMIN, "cus3", "auditor", reason="감사 지원")
    with pytest.raises(DBAPIError), board.database.transaction() as session:
        session.execute(update(RightChange).values(after="x"))
    with pytest.raises(DBAPIError), board.database.transaction() as session:
        session.execute(delete(RightChange))
