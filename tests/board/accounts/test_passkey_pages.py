"""Passkeys on the account page: who may register, rename and remove, and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from board_env import LEAD, LEAD2, BoardEnv
from fastapi import FastAPI
from page_env import PASSWORD, PageClient, page_app
from passkey_env import register
from soft_authenticator import SoftAuthenticator

from guardia.board.accounts import tokens
from guardia.board.audit import log
from guardia.board.passkeys import credentials
from guardia.errors import Invalid

Browse = Callable[[str], PageClient]
ORIGIN = "http://localhost:8420"
OPTIONS = "/account/passkeys/options"


@pytest.fixture
def app(web_env: BoardEnv) -> FastAPI:
    return page_app(web_env.board, public_origin=ORIGIN)


def details(env: BoardEnv, kind: str) -> list[dict[str, Any]]:
    with env.board.database.reading() as session:
        return [e.detail for e in log.entries(session) if e.kind == kind]


def ask(browser: PageClient, path: str, **fields: str) -> Any:
    """Send a form as the page's script does: the answer is JSON."""
    data = {"csrf": browser.token("/account"), **fields}
    return browser.post(path, data=data, headers={"accept": "application/json"})


def sign_in_long_ago(env: BoardEnv) -> None:
    with psycopg.connect(env.dsn) as connection:
        connection.execute("update tb_session set created_at = now() - interval '1 hour'")


@pytest.mark.slow
def test_a_person_registers_renames_and_removes_their_own(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    browser = sign_in_as("lead")
    device = SoftAuthenticator(ORIGIN, "localhost")
    made = device.create(ask(browser, OPTIONS).json())
    answer = ask(browser, "/account/passkeys", name="보안 키", credential=json.dumps(made))
    assert answer.status_code == 200, answer.text
    (entry,) = details(web_env, "passkey_registered")
    assert entry["statement"]["person"] == LEAD.id
    assert entry["statement"]["public_key"]
    (own,) = credentials.list_passkeys(web_env.board, LEAD)
    assert "보안 키" in browser.get_page("/account").text
    number = str(own.passkey_id)
    renamed = browser.submit_form(
        "/account/passkeys/rename", "/account", number=number, name="사무실 열쇠"
    )
    assert renamed.status_code == 303
    assert "사무실 열쇠" in browser.get_page("/account").text
    assert browser.submit_form("/account/passkeys/remove", "/account", number=number).is_redirect
    assert credentials.list_passkeys(web_env.board, LEAD) == []
    (removed,) = details(web_env, "passkey_removed")
    assert (removed["person"], removed["name"]) == (LEAD.id, "사무실 열쇠")
    assert browser.submit_form("/account/passkeys/remove", "/account", number=number).status_code


@pytest.mark.slow
def test_an_old_sign_in_needs_the_password(web_env: BoardEnv, sign_in_as: Browse) -> None:
    browser = sign_in_as("lead")
    sign_in_long_ago(web_env)
    assert 'type="password"' in browser.get_page("/account").text
    for fields in ({}, {"password": "틀린-암호-1234"}):
        assert ask(browser, OPTIONS, **fields).status_code == 403
    assert "challenge" in ask(browser, OPTIONS, password=PASSWORD).json()


@pytest.mark.slow
def test_only_an_administrator_removes_anothers(web_env: BoardEnv, sign_in_as: Browse) -> None:
    register(web_env)
    (own,) = credentials.list_passkeys(web_env.board, LEAD)
    path, number = "/account/passkeys/remove", str(own.passkey_id)
    for account in ("lead2", "officer", "cus"):
        browser = sign_in_as(account)
        assert f"<strong>{own.name}" not in browser.get_page("/account").text
        assert browser.submit_form(path, "/account", number=number).status_code == 403
        renamed = browser.submit_form(
            "/account/passkeys/rename", "/account", number=number, name="내 것"
        )
        assert renamed.status_code == 404
    admin = sign_in_as("admin")
    assert f"<strong>{own.name}" in admin.get_page("/account").text
    assert admin.submit_form(path, "/account", number=number).status_code == 303
    assert credentials.list_passkeys(web_env.board, LEAD) == []


def test_where_there_is_no_origin_the_page_says_what_to_do(web_env: BoardEnv) -> None:
    browser = PageClient(page_app(web_env.board), raise_server_exceptions=False)
    browser.submit_form("/login", "/login", account="lead", password=PASSWORD)
    page = browser.get_page("/account").text
    assert "GUARDIA_PUBLIC_ORIGIN" in page
    assert 'data-passkey="register"' not in page
    assert ask(browser, OPTIONS).status_code == 409


def test_no_token_registers_or_removes_passkeys(web_env: BoardEnv) -> None:
    for action in ("passkey.own", "passkey.remove"):
        with pytest.raises(Invalid):
            tokens.create_token(web_env.board, LEAD2, "스크립트", [action], 1)


@pytest.mark.slow
def test_what_is_no_credential_is_refused(sign_in_as: Browse) -> None:
    browser = sign_in_as("lead")
    for credential in ("", "[]", "{", '{"response": {}}', "[" * 9000):
        answer = ask(browser, "/account/passkeys", name="열쇠", credential=credential)
        assert answer.status_code in {403, 422}, credential
