"""Linked messenger accounts identify the people who write in rooms."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from board_env import LEAD, LEAD2, BoardEnv, assignment, plan
from page_env import ADMIN, enrol_page_users, page_app
from second_person import with_second_person
from sqlalchemy import select, text
from starlette.testclient import TestClient

from guardia.board.accounts import messenger_links, people
from guardia.board.approvals import decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.core import kill_switch
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue
from guardia.board.execution import assignments, tasks
from guardia.board.intake import account_linking, chat_log, stop_command
from guardia.board.intake.account_linking import LinkResult
from guardia.board.intake.model import ChatMessage
from guardia.board.issues import receiving
from guardia.board.organization import chart as organization_chart
from guardia.errors import Forbidden, Invalid, NotFound, Throttled
from guardia.org import chart

BY = Actor.operator("test")


def line(text: str, account: str = "u1", post: str = "") -> receiving.NewIssue:
    return receiving.NewIssue(
        text=text,
        channel="mattermost",
        sender="아무 이름",
        room="기재부-운영",
        account=account,
        external_id=post or f"{account}:{text}",
    )


def link(env: BoardEnv, by: Any, whose: str) -> None:
    """Link an account, for an approver with the second person that this needs."""
    with_second_person(
        env.board, lambda: messenger_links.link(env.board, by, whose, "mattermost", "u1")
    )


def planned(env: BoardEnv, sr_id: int) -> tuple[int, str]:
    """Return the request's plan, waiting for a team lead."""
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    held, filed = env.claim("db-agent"), plan()
    assert held.sr_id == sr_id
    tasks.file_plan(env.board, held, filed)
    return held.task_id, tasks.plan_hash(held.task_id, filed)


def approve(env: BoardEnv, who: Any, task: tuple[int, str]) -> State:
    return decisions.decide(env.board, who, task[0], approve=True, plan_hash=task[1])


def logged_line(env: BoardEnv, request: receiving.NewIssue) -> Issue:
    sr_id = chat_log.receive_line(env.board, request, rule="webhook")
    with env.board.database.reading() as session:
        found = session.get(Issue, sr_id)
        assert found is not None
        return found


@pytest.mark.parametrize("linked", ["before", "after", "to another account of theirs"])
@pytest.mark.slow
def test_a_requester_in_a_room_cannot_approve(env: BoardEnv, linked: str) -> None:
    whose = "cus" if linked.startswith("to") else "lead"
    if whose == "cus":
        people.join_accounts(env.board, BY, "lead", "cus")
    if linked == "before":
        link(env, BY, whose)
    issue = logged_line(env, line("운영DB가 느려요"))
    assert issue.requester_id == ("lead" if linked == "before" else None)
    task = planned(env, issue.sr_id)
    if linked != "before":
        link(env, BY, whose)
    with pytest.raises(Forbidden):
        approve(env, LEAD, task)
    assert approve(env, LEAD2, task) is State.APPROVED


@pytest.mark.slow
def test_a_request_of_an_unknown_requester_cannot_be_approved(env: BoardEnv) -> None:
    shipped = chart.shipped_chart_path().read_text("utf-8")
    stricter = shipped.replace("MAINTENANCE: {", "MAINTENANCE: {known_requester: true, ")
    organization_chart.apply_chart(env.board, stricter, BY)
    task = planned(env, logged_line(env, line("운영DB가 느려요")).sr_id)
    for who in (LEAD, LEAD2):
        with pytest.raises(Forbidden, match="메신저 계정"):
            approve(env, who, task)
    refusal = {"approve": False, "plan_hash": task[1], "reason": "누구인지 모름"}
    state = decisions.decide(env.board, LEAD, task[0], **refusal)  # type: ignore[arg-type]
    assert state is State.MANUAL
    link(env, BY, "lead")
    task = planned(env, logged_line(env, line("또 느려요")).sr_id)
    with pytest.raises(Forbidden, match="본인이"):
        approve(env, LEAD, task)
    assert approve(env, LEAD2, task) is State.APPROVED


def test_a_request_outside_messengers_needs_no_messenger_account(env: BoardEnv) -> None:
    shipped = chart.shipped_chart_path().read_text("utf-8")
    stricter = shipped.replace("MAINTENANCE: {", "MAINTENANCE: {known_requester: true, ")
    organization_chart.apply_chart(env.board, stricter, BY)
    alert = replace(line("디스크 90%", ""), channel="alert")
    assert approve(env, LEAD, planned(env, logged_line(env, alert).sr_id)) is State.APPROVED


def test_a_customers_request_in_a_room_belongs_to_their_institution(env: BoardEnv) -> None:
    messenger_links.link(env.board, BY, "cus", "mattermost", "u1")
    assert logged_line(env, line("느려요")).inst_id == "MOF"
    # The same id in another messenger belongs to another person.
    stranger = logged_line(env, replace(line("느려요"), channel="slack"))
    assert (stranger.requester_id, stranger.inst_id) == (None, None)


@pytest.mark.parametrize("who", ["known", "closed", "unknown", "nameless"])
@pytest.mark.slow
def test_anyone_may_stop_and_is_logged_as_the_actor(env: BoardEnv, who: str) -> None:
    messenger_links.link(env.board, BY, "cus", "mattermost", "u1")
    if who == "closed":
        people.set_active(env.board, BY, "cus", active=False)
    account = {"unknown": "u2", "nameless": ""}.get(who, "u1")
    assert stop_command.handle_stop(env.board, line("정지", account)) is not None
    assert kill_switch.active_kill_switch(env.board) is not None
    with env.board.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.kind == "killed")).one()
    assert entry.actor == ("person:cus" if who == "known" else "channel:mattermost")
    assert entry.detail["account"] == account
    assert entry.detail["sender"] == ("장하늘 주무관" if who == "known" else "아무 이름")


def test_a_valid_code_links_the_account_and_is_not_stored(env: BoardEnv) -> None:
    board = env.board
    first = messenger_links.create_code(board, LEAD)
    code = messenger_links.create_code(board, LEAD)
    assert account_linking.link_account(board, line(f"연결 {first}"), first) is LinkResult.UNKNOWN
    late = replace(
        board, clock=lambda: board.clock() + messenger_links.CODE_LIFETIME + timedelta(seconds=1)
    )
    assert (
        account_linking.link_account(late, line(f"연결 {code}", post="late"), code)
        is LinkResult.UNKNOWN
    )
    assert (
        account_linking.link_account(board, line(f"연결 {code}", account=""), code)
        is LinkResult.NAMELESS
    )
    said = line(f"연결 {code}")
    assert account_linking.link_account(board, said, code) is LinkResult.LINKED
    assert account_linking.link_account(board, said, code) is None
    assert (
        account_linking.link_account(board, line(f"연결 {code}", "thief"), code)
        is LinkResult.UNKNOWN
    )
    other = messenger_links.create_code(board, LEAD2)
    assert account_linking.link_account(board, line(f"연결 {other}"), other) is LinkResult.TAKEN
    assert [link.person.id for link in messenger_links.list_links(board, LEAD)] == ["lead"]
    assert messenger_links.list_links(board, LEAD2) == []
    with board.database.reading() as session:
        kept = session.scalars(select(ChatMessage.text)).all()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.kind == "account_linked")).one()
        rows = session.execute(text("select x::text from tb_link_code x")).scalars().all()
    assert entry.actor == "person:lead"
    everything = str([kept, rows, entry.detail])
    assert not any(c in everything or c.replace("-", "") in everything for c in (code, other))


def test_guessing_codes_is_throttled(env: BoardEnv) -> None:
    for n in range(5):
        found = account_linking.link_account(
            env.board, line("연결 AAAA-AAAA", post=str(n)), "AAAA-AAAA"
        )
        assert found is LinkResult.UNKNOWN
    with pytest.raises(Throttled):
        account_linking.link_account(env.board, line("연결 AAAA-AAAA", post="6"), "AAAA-AAAA")


def test_only_an_administrator_links_for_others_and_links_are_exclusive(
    env: BoardEnv,
) -> None:
    enrol_page_users(env)
    for act in (
        lambda: messenger_links.link(env.board, LEAD, "lead", "mattermost", "u1"),
        lambda: messenger_links.unlink(env.board, LEAD, "mattermost", "u1"),
        lambda: messenger_links.list_links(env.board, LEAD, everybody=True),
    ):
        with pytest.raises(Forbidden):
            act()
    link(env, ADMIN, "lead")
    link(env, ADMIN, "lead")
    with pytest.raises(Invalid):
        messenger_links.link(env.board, ADMIN, "cus", "mattermost", "u1")
    for channel, account in (("irc", "u1"), ("mattermost", " "), ("mattermost", "x" * 200)):
        with pytest.raises(Invalid):
            messenger_links.link(env.board, ADMIN, "cus", channel, account)
    assert [x.account for x in messenger_links.list_links(env.board, ADMIN, everybody=True)] == [
        "u1"
    ]
    messenger_links.unlink(env.board, ADMIN, "mattermost", "u1")
    with pytest.raises(NotFound):
        messenger_links.unlink(env.board, ADMIN, "mattermost", "u1")


@pytest.mark.slow
def test_the_room_answers_a_code_and_opens_no_request_for_it(env: BoardEnv) -> None:
    code = messenger_links.create_code(env.board, LEAD)
    room = TestClient(page_app(env.board))
    post = {"token": "열쇠", "post_id": "p1", "user_name": "x", "user_id": "u7"}
    answer = room.post("/intake/mattermost", json={**post, "text": f" 연결 {code.lower()} "})
    assert answer.json()["text"].startswith("이 메신저 계정을")
    room.post("/intake/mattermost", json={**post, "post_id": "p2", "text": "DB 가 느려요"})
    with env.board.database.reading() as session:
        found = session.scalars(select(Issue)).one()
    assert (found.requester_id, found.requester_account) == ("lead", "mattermost:u7")
