"""Requests filed with forms: data, text, who gets them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv
from page_env import AUDITOR, OTHER_CUSTOMER
from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue
from guardia.board.request_forms import catalogue, checklist, filing, revisions
from guardia.board.request_forms.model import FormRequest
from guardia.board.runs import beats
from guardia.errors import Forbidden, Invalid, NotFound, Stale

VPN = {
    "user": "장하늘",
    "purpose": "재택근무",
    "begins": "2026-12-07",
    "ends": "2026-12-31",
    "systems": "예산회계시스템\n결재시스템",
    "device": "지급 노트북",
}
OWN = """forms:
  - id: vpn
    title: VPN 신청
    group: 네트워크
    owner: eng
    due_days: 3
    checklist: [서약서 확인, OTP 발급]
    fields:
      - {id: user, label: 성명}
  - id: restart
    title: 재시작 요청
    group: 서버
    triage: true
    category: DB
    fields:
      - {id: server, label: 서버, kind: server}
      - {id: helper, label: 담당, kind: person, required: false}
      - {id: count, label: 횟수, kind: number, least: 1, most: 3, required: false}
"""
MONDAY = datetime(2026, 11, 30, 3, tzinfo=UTC)


@pytest.fixture
def own(env: BoardEnv) -> BoardEnv:
    """Return a board with a catalogue of its own, on a Monday."""
    env.board = replace(env.board, clock=lambda: MONDAY)
    revisions.apply(env.board, Actor.operator("test"), OWN)
    return env


def issue(env: BoardEnv, sr_id: int) -> Issue:
    with env.board.database.reading() as session:
        return session.get_one(Issue, sr_id)


def form_of(env: BoardEnv, sr_id: int) -> FormRequest:
    with env.board.database.reading() as session:
        return session.get_one(FormRequest, sr_id)


def test_a_shipped_form_becomes_text_and_data_and_is_proposed(env: BoardEnv) -> None:
    sr_id = filing.file_request(env.board, CUSTOMER, "vpn-access", VPN)
    found = issue(env, sr_id)
    assert (found.status, found.category, found.inst_id) == ("MANUAL", "NETWORK", "MOF")
    assert found.title == "원격접속(VPN) 사용 신청 — 장하늘"
    assert "**시작일**: 2026-12-07 (월)" in found.body and "> 결재시스템" in found.body
    data = {one["id"]: one["value"] for one in form_of(env, sr_id).fields}
    assert data == VPN
    with env.board.database.reading() as session:
        assert log.verify_all(session).intact
        kinds = session.scalars(select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id)).all()
    assert kinds[0] == "received" and len(kinds) == 2
    assert beats.begin(env.board, "dispatcher") is None, "no agent is woken"


def test_it_goes_to_its_owner_on_a_working_day_list(own: BoardEnv) -> None:
    sr_id = filing.file_request(own.board, CUSTOMER, "vpn", {"user": "장하늘"})
    found = issue(own, sr_id)
    assert (found.status, found.assignee_id, found.due_on) == ("MANUAL", "eng", date(2026, 12, 3))
    view = checklist.read_form(own.board, ENGINEER, sr_id)
    assert view is not None and [one["text"] for one in view.checklist] == [
        "서약서 확인",
        "OTP 발급",
    ]
    checklist.check_item(own.board, ENGINEER, sr_id, 1, is_done=True)
    view = checklist.read_form(own.board, LEAD, sr_id)
    assert view is not None and [one.get("by") for one in view.checklist] == [None, "김철수 대리"]
    seen = checklist.read_form(own.board, CUSTOMER, sr_id)
    assert seen is not None and seen.checklist == () and seen.fields == (("성명", "장하늘"),)
    for person, error in ((CUSTOMER, Forbidden), (AUDITOR, Forbidden)):
        with pytest.raises(error):
            checklist.check_item(own.board, person, sr_id, 0, is_done=True)
    with pytest.raises(NotFound):
        checklist.check_item(own.board, ENGINEER, sr_id, 9, is_done=True)
    with pytest.raises(NotFound):
        checklist.read_form(own.board, OTHER_CUSTOMER, sr_id)


def test_a_form_that_names_a_server_goes_to_the_agents(own: BoardEnv) -> None:
    given = {"server": "mof-db-01", "helper": "김철수 대리", "count": "2"}
    sr_id = filing.file_request(own.board, LEAD, "restart", given)
    assert issue(own, sr_id).status == "RECEIVED"
    assert own.claim("dispatcher").sr_id == sr_id
    data = {one["id"]: one["value"] for one in form_of(own, sr_id).fields}
    assert data == {"server": "MOF-DB-01", "helper": "eng", "count": 2}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, {"server"}),
        ({"server": "MOE-DB-01"}, {"server"}),
        ({"server": "MOF-DB-01", "helper": "아무개"}, {"helper"}),
        ({"server": "MOF-DB-01", "count": "0"}, {"count"}),
        ({"server": "MOF-DB-01", "count": "4"}, {"count"}),
        ({"server": "MOF-DB-01", "count": "둘"}, {"count"}),
        ({"server": "x", "count": "-1"}, {"server", "count"}),
        ({"server": "MOF-DB-01", "helper": "eng"}, {"helper"}),  # of no institution
    ],
)
def test_wrong_answers_are_refused_at_their_field(
    own: BoardEnv, given: dict[str, str], wrong: set[str]
) -> None:
    assert set(filing.check(own.board, CUSTOMER, "restart", given).problems) == wrong
    with pytest.raises(Invalid) as refused:
        filing.file_request(own.board, CUSTOMER, "restart", given)
    assert refused.value.detail["field"] in wrong


def test_choices_and_dates_are_checked(env: BoardEnv) -> None:
    wrong = {**VPN, "purpose": "관광", "begins": "2026-02-30"}
    problems = filing.check(env.board, CUSTOMER, "vpn-access", wrong).problems
    assert set(problems) == {"purpose", "begins"}


def test_another_institutions_server_is_unknown(own: BoardEnv) -> None:
    assert (
        "server"
        in filing.check(own.board, OTHER_CUSTOMER, "restart", {"server": "MOF-DB-01"}).problems
    )


def test_a_ticket_files_once(own: BoardEnv) -> None:
    first = filing.file_request(own.board, CUSTOMER, "vpn", {"user": "장하늘"}, "t1")
    assert filing.file_request(own.board, CUSTOMER, "vpn", {"user": "장하늘"}, "t1") == first
    with pytest.raises(Forbidden):
        filing.file_request(own.board, AUDITOR, "vpn", {"user": "백서윤"})
    with pytest.raises(NotFound):
        filing.file_request(own.board, CUSTOMER, "vpn-access", VPN)


@pytest.mark.slow
def test_the_catalogue_is_planned_applied_and_rolled_back(own: BoardEnv) -> None:
    board = own.board
    text = OWN.replace("title: VPN 신청", "title: 원격접속 신청").replace(
        "id: restart", "id: reset"
    )
    number, changes = revisions.plan(board, text)
    assert (number, [(one.verb, one.form_id) for one in changes]) == (
        1,
        [("removed", "restart"), ("changed", "vpn"), ("added", "reset")],
    )
    with pytest.raises(Stale):
        revisions.apply(board, PM, text, expected=0)
    assert revisions.apply(board, PM, text, expected=1)[0] == 2
    assert revisions.apply(board, PM, text) == (2, ())
    with pytest.raises(Forbidden):
        revisions.apply(board, ENGINEER, OWN)
    with pytest.raises(Invalid, match="nobody"):
        revisions.plan(board, OWN.replace("owner: eng", "owner: nobody"))
    with pytest.raises(Invalid):
        revisions.apply(board, PM, OWN.replace("kind: server", "kind: sever"))
    assert revisions.rollback(board, PM, 1)[0] == 3
    assert revisions.running_text(board)[1] == OWN
    assert revisions.rollback(board, PM, 0)[0] == 4
    assert revisions.running_text(board)[1] == catalogue.shipped_text()
    assert [one.number for one in revisions.history(board)] == [4, 3, 2, 1]
