"""Access tokens: valid requests, and storage of the hash only."""

from __future__ import annotations

from typing import Any

import pytest
from board_env import CUSTOMER, LEAD, BoardEnv
from sqlalchemy import text

from guardia.board.accounts import tokens
from guardia.board.web.session import signed_in_person
from guardia.errors import Forbidden, Invalid, NotFound
from guardia.org.access import PERMISSIONS, is_allowed, require_permission
from guardia.org.tokens import SESSION_ONLY_ACTIONS


@pytest.mark.parametrize(
    ("name", "rights", "days"),
    [
        ("", ["issue.read"], 30),
        (" \x00 ", ["issue.read"], 30),
        ("오래", ["issue.read"], 0),
        ("오래", ["issue.read"], 367),
        ("모름", ["no.such"], 30),
        ("남의", ["delegation.set_others"], 30),
        ("결정", ["approval.decide"], 30),
        ("결정", ["approval.answer"], 30),
    ],
)
def test_an_invalid_token_request_is_refused(
    env: BoardEnv, name: str, rights: list[str], days: int
) -> None:
    with pytest.raises(Invalid):
        tokens.create_token(env.board, LEAD, name, rights, days)
    assert tokens.list_tokens(env.board, LEAD) == []


def test_only_a_hash_is_stored_and_creation_is_logged(env: BoardEnv, database: Any) -> None:
    secret = tokens.create_token(env.board, LEAD, "관제 연동", ["control.kill", "issue.read"], 30)
    with env.board.database.reading() as session:
        rows = [
            str(row)
            for table in ("tb_access_token", "tb_audit_log")
            for row in session.execute(text(f"select * from {table}"))
        ]
    assert any("관제 연동" in row for row in rows)
    assert not any(secret in row or secret.removeprefix("guardia_pat_") in row for row in rows)


def test_its_holder_is_the_person_limited_to_its_rights(env: BoardEnv) -> None:
    found = signed_in_person(
        env.board, tokens.create_token(env.board, LEAD, "조회", ["plan.read"], 30)
    )
    assert found is not None and found.id == LEAD.id
    assert [action for action in PERMISSIONS if is_allowed(found, action)] == ["plan.read"]
    with pytest.raises(Forbidden):
        tokens.create_token(env.board, found, "더 많이", ["control.kill"], 30)
    with pytest.raises(Forbidden):
        require_permission(found, "token.own")


def test_a_row_that_names_a_personal_right_still_gives_none(env: BoardEnv, database: Any) -> None:
    secret = tokens.create_token(env.board, LEAD, "조회", ["plan.read"], 30)
    with env.board.database.transaction() as session:
        session.execute(
            text("""update tb_access_token set rights = '["approval.decide", "plan.read"]'""")
        )
    found = signed_in_person(env.board, secret)
    assert found is not None
    assert not any(is_allowed(found, action) for action in SESSION_ONLY_ACTIONS)


def test_people_revoke_only_their_own_tokens(env: BoardEnv) -> None:
    tokens.create_token(env.board, LEAD, "조회", ["plan.read"], 30)
    number = tokens.list_tokens(env.board, LEAD)[0].token_id
    with pytest.raises(NotFound):
        tokens.revoke_token(env.board, CUSTOMER, number)
    tokens.revoke_token(env.board, LEAD, number)
    assert [card.revoked for card in tokens.list_tokens(env.board, LEAD)] == [True]
    with pytest.raises(NotFound):
        tokens.revoke_token(env.board, LEAD, number)
