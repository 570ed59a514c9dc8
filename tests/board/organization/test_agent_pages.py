from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import PageClient

from guardia.board.organization import agent_memory
from guardia.board.organization.agent_memory import RunbookOutcome

Browse = Callable[[str], PageClient]
LEARNED = RunbookOutcome(
    "db-lock-chain", "worked", "MOF-DB-01에서 <b>잠금</b> 절차로 해결했습니다."
)


@pytest.mark.slow
def test_an_agent_is_shown_with_its_work_runs_and_notebook(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    held = web_env.create_parsed_task()
    agent_memory.write(web_env.board, held, "세션 7이 막고 있음", [LEARNED])
    engineer = sign_in_as("eng")
    text = engineer.get_page("/agents").text
    assert (
        "DB 전문가" in text and "진행 중인 작업 1건" in text and 'href="/agents/db-agent"' in text
    )
    text = engineer.get_page("/agents/db-agent").text
    assert f'href="/issues/{held.sr_id}"' in text and "작업 중" in text and "배정" in text
    assert "세션 7이 막고 있음" in text and "&lt;b&gt;잠금" in text and "<b>잠금" not in text
    assert engineer.get_page("/agents/no-such").status_code == 404


@pytest.mark.slow
def test_people_teach_edit_and_strike_with_history(sign_in_as: Browse, web_env: BoardEnv) -> None:
    engineer, path = sign_in_as("eng"), "/agents/db-agent"
    assert engineer.submit_form(f"{path}/notes", path, body=" ").status_code == 422
    assert engineer.submit_form(f"{path}/notes", path, body="월말에는 배치 먼저").status_code == 303
    note = f"{path}/notes/1"
    assert f'href="{note}"' in engineer.get_page(path).text
    words = {"verb": "save", "version": "1", "body": "월말에는 마감 배치를 먼저 본다"}
    assert engineer.submit_form(note, note, **words).status_code == 303
    stale = engineer.submit_form(note, note, **{**words, "body": "늦은 글"})
    assert stale.status_code == 409 and "늦은 글" in stale.text
    assert engineer.submit_form(note, note, verb="strike", version="2").status_code == 303
    text = engineer.get_page(note).text
    assert "월말에는 배치 먼저" in text and "김철수 대리" in text and "다시 사용" in text
    assert "사용 중지" in engineer.get_page(path).text


@pytest.mark.slow
def test_notes_need_the_permission_to_read_and_to_edit(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sign_in_as("eng").submit_form("/agents/db-agent/notes", "/agents/db-agent", body="메모")
    customer, auditor = sign_in_as("cus"), sign_in_as("audit")
    assert customer.get_page("/agents").status_code == 403
    assert customer.get_page("/agents/db-agent/notes/1").status_code == 403
    assert auditor.get_page("/agents/db-agent/notes/1").status_code == 200
    assert 'name="verb"' not in auditor.get_page("/agents/db-agent/notes/1").text
    refused = auditor.submit_form("/agents/db-agent/notes", "/issues", body="x")
    assert refused.status_code == 403
