"""Tests of the kill switch API and of the permissions of access tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from board_env import ENGINEER, LEAD, PM, BoardEnv, seeded_env
from fastapi import FastAPI
from page_env import PASSWORD, PageClient, enrol_page_users, page_app

from guardia.board.accounts import tokens
from guardia.board.core import kill_switch
from guardia.board.core.lifecycle import State
from guardia.board.execution import view

PATH = "/api/v3/kill-switch"


@pytest.fixture
def web_env(database: Any) -> Iterator[BoardEnv]:
    with seeded_env(database.app) as found:
        enrol_page_users(found)
        yield found


@pytest.fixture
def app(web_env: BoardEnv) -> FastAPI:
    return page_app(web_env.board)


def program(app: FastAPI, secret: str) -> PageClient:
    """Return a client that sends a token with every request."""
    client = PageClient(app, raise_server_exceptions=False)
    client.headers["authorization"] = f"Bearer {secret}"
    return client


def test_one_program_stops_everything_and_another_releases_it(
    app: FastAPI, web_env: BoardEnv
) -> None:
    claim = web_env.create_parsed_task()
    watch = tokens.create_token(web_env.board, ENGINEER, "관제", ["control.kill", "plan.read"], 30)
    lift = tokens.create_token(web_env.board, PM, "해제", ["control.release", "plan.read"], 30)
    assert program(app, watch).get(PATH).json() == {
        "on": False,
        "ordered_by": None,
        "reason": None,
        "ordered_at": None,
        "undoing": 0,
        "stopped": [],
    }
    killed = program(app, watch).put(PATH, json={"reason": "이상 징후"})
    assert killed.status_code == 200
    found = killed.json()
    assert found["on"] and found["ordered_by"] == "person:eng" and found["reason"] == "이상 징후"
    assert [s["task"] for s in found["stopped"]] == [claim.task_id]
    assert program(app, watch).put(PATH, json={}).json()["reason"] == "이상 징후"
    release = f"{PATH}/release"
    assert program(app, watch).post(release, json={"reason": "x"}).status_code == 403
    assert program(app, lift).post(release, json={"reason": " "}).status_code == 422
    assert program(app, lift).post(release, json={"reason": "확인"}).json()["on"] is False


@pytest.mark.slow
def test_a_token_opens_only_its_rights_and_never_a_decision(
    app: FastAPI, web_env: BoardEnv
) -> None:
    claim, _, plan_hash = web_env.create_filed_plan()
    secret = tokens.create_token(web_env.board, LEAD, "조회", ["issue.read", "plan.read"], 30)
    client = program(app, secret)
    assert client.get(f"/issues/{claim.sr_id}").status_code == 200
    assert client.put(PATH, json={}).status_code == 403
    answer = client.post(
        f"/issues/{claim.sr_id}/tasks/{claim.task_id}/decision",
        data={"decision": "approve", "plan_hash": plan_hash},
    )
    assert answer.status_code == 403
    assert view.task(web_env.board, claim.task_id).state is State.PENDING_APPROVAL
    assert client.post(f"/issues/{claim.sr_id}/comments", data={"body": "x"}).status_code == 403
    assert kill_switch.active_kill_switch(web_env.board) is None


def test_no_answer_without_a_valid_token(app: FastAPI, web_env: BoardEnv) -> None:
    secret = tokens.create_token(web_env.board, LEAD, "조회", ["plan.read"], 1)
    assert PageClient(app).get(PATH).status_code == 401
    for bad in ("", "x", f"{secret}x", secret.lower()):
        answer = program(app, bad).get(PATH)
        assert answer.status_code == 401
        assert set(answer.json()) == {"message", "documentation_url"}
    number = tokens.list_tokens(web_env.board, LEAD)[0].token_id
    assert program(app, secret).get(PATH).status_code == 200
    tokens.revoke_token(web_env.board, LEAD, number)
    assert program(app, secret).get(PATH).status_code == 401


def test_a_token_ends_by_itself(app: FastAPI, web_env: BoardEnv) -> None:
    secret = tokens.create_token(web_env.board, LEAD, "조회", ["plan.read"], 1)
    later = web_env.board.clock() + timedelta(days=1, seconds=1)
    after = page_app(replace(web_env.board, clock=lambda: later))
    assert program(app, secret).get(PATH).status_code == 200
    assert program(after, secret).get(PATH).status_code == 401


def test_a_cookie_beside_a_token_does_not_count(app: FastAPI, web_env: BoardEnv) -> None:
    browser = PageClient(app, raise_server_exceptions=False)
    assert (
        browser.submit_form("/login", "/login", account="eng", password=PASSWORD).status_code == 303
    )
    forged = browser.post(
        "/kill", data={"reason": "x"}, headers={"authorization": "Bearer anything"}
    )
    assert forged.status_code == 401
    assert browser.put(PATH, json={}).status_code == 403, "a cookie alone needs the form's token"
    assert kill_switch.active_kill_switch(web_env.board) is None


def test_what_is_not_json_is_refused_in_the_shape_of_the_dialect(
    app: FastAPI, web_env: BoardEnv
) -> None:
    secret = tokens.create_token(web_env.board, ENGINEER, "관제", ["control.kill"], 30)
    answer = program(app, secret).put(PATH, content=b"{", headers={"content-type": "text/plain"})
    assert answer.status_code == 422 and answer.json()["errors"]
    long = program(app, secret).put(PATH, json={"reason": "가" * 1001})
    assert long.status_code == 422
    assert kill_switch.active_kill_switch(web_env.board) is None
