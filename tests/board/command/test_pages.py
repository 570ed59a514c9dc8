"""The console: what a line means before it runs, its result, buttons, history, completion."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from command_env import one
from page_env import PageClient

SignIn = Callable[[str], PageClient]


def button(html: str, act: str, number: int = 0) -> dict[str, str]:
    """Return the fields of one of the buttons of a page."""
    found = re.findall(
        rf'name="act" value="{act}">\s*<input[^>]*name="value" value="([^"]+)"', html
    )
    return {"act": act, "value": found[number]}


@pytest.mark.slow
def test_a_line_is_read_before_it_runs(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    sr = web_env.create_parsed_task().sr_id
    browser = sign_in_as("lead")
    html = browser.get(f"/console?q=%23{sr} 김철수 대리한테 배정해줘").text
    assert "&#34;action&#34;: &#34;reassign&#34;" in html and "김철수 대리로 변경" in html
    part = browser.get(f"/console/preview?q=%23{sr} 일시정지").text
    assert "pause" in part and "<html" not in part
    assert one(web_env, "select count(*) from tb_command") == 0


@pytest.mark.slow
def test_a_line_runs_and_its_result_is_a_page_with_a_way_back(
    web_env: BoardEnv, sign_in_as: SignIn
) -> None:
    sr = web_env.create_parsed_task().sr_id
    browser = sign_in_as("lead")
    answer = browser.submit_form("/console", "/console", q=f"#{sr} 일시정지")
    assert answer.status_code == 303
    html = browser.get(answer.headers["location"]).text
    assert f"SR-{sr}" in html and f'href="/issues/{sr}"' in html
    undone = browser.submit_form(
        "/console/press", answer.headers["location"], **button(html, "undo")
    )
    assert undone.status_code == 303
    assert one(web_env, "select bool_or(paused) from tb_ops_task") is False


@pytest.mark.slow
def test_a_destructive_line_waits_for_its_button(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    sr = web_env.create_parsed_task().sr_id
    browser = sign_in_as("lead")
    place = browser.submit_form("/console", "/console", q=f"#{sr} 중단해").headers["location"]
    html = browser.get(place).text
    assert one(web_env, "select status from tb_sr_request") == "PARSED"
    other = sign_in_as("pm")
    refused = other.submit_form("/console/press", "/console", **button(html, "confirm"))
    assert refused.status_code == 404
    browser.submit_form("/console/press", place, **button(html, "confirm"))
    assert one(web_env, "select status from tb_sr_request") == "ABORTED"
    again = browser.submit_form("/console/press", "/console", **button(html, "confirm"))
    assert again.status_code != 303
    assert one(web_env, "select count(*) from tb_directive") == 1


@pytest.mark.slow
def test_the_issue_of_the_page_is_kept(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    sr = web_env.create_parsed_task().sr_id
    browser = sign_in_as("lead")
    assert f"/console?sr={sr}" in browser.get(f"/issues/{sr}").text
    answer = browser.submit_form(
        "/console",
        f"/console?sr={sr}",
        q="이 작업은 AI 자동 처리를 멈추고 수동으로 전환해",
        sr=str(sr),
    )
    assert answer.status_code == 303 and f"sr={sr}" in answer.headers["location"]
    assert one(web_env, "select status from tb_sr_request") == "MANUAL"


@pytest.mark.slow
def test_history_shows_only_ones_own(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    lead, engineer = sign_in_as("lead"), sign_in_as("eng")
    lead.submit_form("/console", "/console", q="서버 목록 보여줘")
    number = one(web_env, "select max(command_id) from tb_command")
    assert "서버 목록 보여줘" in lead.get("/console").text
    assert "서버 목록 보여줘" not in engineer.get("/console").text
    assert engineer.get(f"/console?command={number}").status_code == 404
    assert engineer.get(f"/console/commands/{number}").status_code == 404
    assert lead.get(f"/console/commands/{number}").status_code == 200


@pytest.mark.slow
def test_the_last_word_is_completed(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    sr = web_env.create_parsed_task().sr_id
    browser = sign_in_as("lead")

    def lines(q: str) -> list[str]:
        rows = browser.get("/console/complete", params={"q": q}).json()["rows"]
        return [row["line"] for row in rows]

    assert f"#{sr} 김철수 대리 " in lines(f"#{sr} 김철")
    assert "MOF-WAS-01 " in lines("mof-w")
    assert f"SR-{sr} " in lines("#")
    assert f"#{sr} 일시정지" in lines(f"#{sr} 일시")
    assert lines("") == []


@pytest.mark.slow
@pytest.mark.parametrize("q", ["mo", "김", "교육"])
def test_a_customer_is_shown_no_names_of_others(
    web_env: BoardEnv, sign_in_as: SignIn, q: str
) -> None:
    rows = sign_in_as("cus").get("/console/complete", params={"q": q}).json()["rows"]
    assert "MOE" not in str(rows) and "김철수" not in str(rows) and "교육부" not in str(rows)


@pytest.mark.slow
def test_the_api_previews_asks_and_carries_out(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    from board_env import LEAD

    from guardia.board.accounts import tokens

    sr = web_env.create_parsed_task().sr_id
    rights = ["command.give", "issue.read", "directive.abort"]
    secret = tokens.create_token(web_env.board, LEAD, "시험", rights, 7)
    api = sign_in_as("lead")
    header = {"authorization": f"Bearer {secret}"}

    def call(path: str = "", **body: object) -> dict[str, object]:
        answer = api.post(f"/api/v3/commands{path}", json=body, headers=header)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    read = call(text=f"#{sr} 중단해", dry_run=True)
    assert read["structure"] == {"action": "abort", "sr_id": sr} and read["state"] is None
    assert call(text=f"#{sr} 일시정지")["state"] == "REFUSED"
    asked = call(text=f"#{sr} 중단해")
    assert asked["state"] == "CONFIRM"
    confirm = asked["choices"][0]  # type: ignore[index]
    done = call("/press", act=confirm["act"], value=confirm["value"])
    assert done["state"] == "DONE"
    assert one(web_env, "select status from tb_sr_request") == "ABORTED"
