"""The page and the commands of standing approvals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import command_env, invoke, output
from page_env import PageClient, enrol_page_users, main_part
from standing_env import propose, rows, terms_of

from guardia.board.standing.lifecycle import StandingState
from guardia.cli.installation import open_installation
from guardia.settings import Settings

Browse = Callable[[str], PageClient]


def last_day(days: int = 10) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


@pytest.mark.slow
@pytest.mark.usefixtures("web_env")
def test_people_set_limits_approve_and_revoke_on_the_page(env: Any, sign_in_as: Browse) -> None:
    number = propose(env)
    enrol_page_users(env)
    bound = terms_of(env, number).hash
    lead, admin = sign_in_as("lead"), sign_in_as("admin")
    html = lead.get_page("/standing").text
    for part in (f"표준 변경 제{number}호", "검증 성공 2건", "팀장 → 관리자", bound[:12], "제안됨"):
        assert part in html
    words = {"per_day": "2", "begins": "22:00", "ends": "06:00", "last_day": last_day()}
    path = f"/standing/{number}"
    wrong = lead.submit_form(
        f"{path}/limits", "/standing", **{**words, "begins": "9시"}, terms_hash=bound
    )
    assert wrong.status_code == 422 and "22:00" in wrong.text
    done = lead.submit_form(f"{path}/limits", "/standing", **words, terms_hash=bound)
    assert done.status_code == 303
    stale = lead.submit_form(f"{path}/decision", "/standing", verdict="approve", terms_hash=bound)
    assert stale.status_code == 409
    bound = terms_of(env, number).hash
    for browser in (lead, admin):
        given = {"verdict": "approve", "terms_hash": bound}
        assert browser.submit_form(f"{path}/decision", "/standing", **given).status_code == 303
    assert "효력 있음" in lead.get_page("/standing").text
    engineer = sign_in_as("eng")
    html = engineer.get_page("/standing").text
    assert "<form" not in main_part(html)
    refused = engineer.submit_form(f"{path}/decision", "/standing", verdict="revoke", reason="x")
    assert refused.status_code == 403
    lead.submit_form(f"{path}/decision", "/standing", verdict="revoke", reason="<i>그만</i>")
    html = lead.get_page("/standing").text
    assert "취소" in html and "<i>그만" not in html and "style=" not in html
    assert sign_in_as("cus").get_page("/standing").status_code == 403


@pytest.mark.usefixtures("web_env")
def test_a_row_written_past_the_board_is_shown_as_unproven(env: Any, sign_in_as: Browse) -> None:
    assert "제안된 표준 변경이 없습니다" in sign_in_as("lead").get_page("/standing").text
    with psycopg.connect(env.dsn) as connection:
        connection.execute(
            "insert into tb_standing (document, version, sha256, title, category, institution,"
            " kind, state, terms, proposed_by, proposed_at) values ('x', 1, 's', 'x',"
            " 'MAINTENANCE', 'MOF', 'DB', 'APPROVED', '{}', 'agent:db-agent', now())"
        )
    html = sign_in_as("lead").get_page("/standing").text
    assert "감사 로그와 일치하지 않습니다" in html and 'value="approve"' not in html


@pytest.mark.slow
def test_the_commands_do_the_same(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        assert "제안된 표준 변경이 없습니다" in output("standing", "list")
        with open_installation(Settings()) as installation, installation.board() as board:
            # One key signs what this process and the commands decide.
            env.board = replace(env.board, decision_signer=board.decision_signer)
        number = propose(env)
        enrol_page_users(env)
        shown = output("standing", "list")
        seen = re.findall(r"조건 해시: (\w{12})", shown)[0]
        given = ("--per-day", 2, "--from", "00:00", "--until", "00:00", "--ends-on", last_day())
        done = output("standing", "limits", number, "--as", "lead", "--terms", seen, *given)
        now = re.findall(r"(\w{12})\s*$", done)[0]
        assert invoke("standing", "approve", number, "--as", "lead", "--terms", seen).exit_code
        assert invoke("standing", "approve", number, "--as", "lead", "--terms", now[:4]).exit_code
        for who in ("lead", "admin"):
            output("standing", "approve", number, "--as", who, "--terms", now)
        assert rows(env)[0].state == StandingState.APPROVED
        output("standing", "revoke", number, "--as", "lead", "--reason", "그만")
        assert rows(env)[0].state == StandingState.REVOKED
