"""The page of unassigned issues, the section of an issue's page, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assignment_env import ROOM, SECOND, enrol, issue, proposals, queued, states
from board_env import BoardEnv, assignment
from cmdb_env import enter
from command_line import command_env, invoke, output
from page_env import PageClient

from guardia.board.assignment.proposals import Chosen
from guardia.board.assignment.understanding import Understanding
from guardia.board.execution import assignments, tasks

Browse = Callable[[str], PageClient]
READ = Understanding(kind="REQUEST", category="DB", priority="P3", confidence="high")
NETWORK = READ.model_copy(update={"category": "NETWORK"})


def handed_over(env: BoardEnv, understood: Understanding = READ, **more: str) -> int:
    home = {"institution": "MOF"} if understood is READ else {}
    sr_id = env.create_issue(**{**ROOM, **home, **more})
    tasks.hand_over(env.board, env.claim("dispatcher"), "확인", understood=understood)
    return sr_id


def post(browser: PageClient, sr_id: int, path: str, **form: str) -> int:
    page = f"/issues/{sr_id}"
    return browser.submit_form(f"{page}/{path}", f"{page}/who", **form).status_code


@pytest.mark.slow
def test_the_queue_is_read_and_emptied_on_its_page(web_env: BoardEnv, sign_in_as: Browse) -> None:
    lead, engineer = sign_in_as("lead"), sign_in_as("eng")
    assert "미배정 이슈가 없습니다" in lead.get_page("/queue").text
    numbers = [handed_over(web_env, NETWORK, text=f"<b>망</b> {n}") for n in range(27)]
    html = lead.get_page("/queue").text
    assert html.count("내가 맡기") == 25 and "before=" in html and "<b>망" not in html
    assert post(engineer, numbers[0], "assignment", act="take") == 303
    assert issue(web_env, numbers[0]).assignee_id == "eng" and not queued(web_env, numbers[0])
    html = engineer.get_page(f"/issues/{numbers[0]}/who").text
    assert "김철수 대리" in html and "직접 지정" in html
    assert sign_in_as("cus").get_page("/queue").status_code == 403
    assert "내가 맡기" not in sign_in_as("audit").get_page("/queue").text.split("<main")[1]


@pytest.mark.slow
def test_people_and_teams_are_assigned_and_proposals_answered(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    enrol(web_env, SECOND)
    enter(web_env, ("team", {"id": "dba", "name": "DB팀", "members": ["eng", "eng2"]}))
    sr_id, lead = handed_over(web_env), sign_in_as("lead")
    engineer = sign_in_as("eng")
    page = engineer.get_page(f"/issues/{sr_id}/who").text
    assert "담당 추천: 김철수 대리" in page and "분류 신뢰도" in page and "높음" in page
    assert "내게 온 제안" in engineer.get_page("/queue").text
    number = proposals(web_env, sr_id)[-1].proposal_id
    assert post(lead, sr_id, f"proposals/{number}", verdict="accept") == 404
    assert post(engineer, sr_id, f"proposals/{number}", verdict="decline") == 422
    assert post(engineer, sr_id, f"proposals/{number}", verdict="decline", reason="휴가") == 303
    assert states(web_env, sr_id)[-1] == ("eng2", "OPEN")
    assert post(lead, sr_id, "assignment", act="assign", target="dba", reason="야간") == 303
    entry = queued(web_env, sr_id)
    assert entry is not None and (entry.team_id, entry.owner_id) == ("dba", "eng")
    assert "DB팀" in lead.get_page("/queue").text
    assert post(lead, sr_id, "assignment", act="assign", target="cus") == 422
    assert post(lead, sr_id, "assignment", act="assign", target="pm") == 303
    assert issue(web_env, sr_id).assignee_id == "pm" and queued(web_env, sr_id) is None
    html = lead.get_page("/queue").text
    assert "배정 결과" in html and "DB팀" in html


@pytest.mark.slow
def test_outsiders_find_nothing_and_customers_only_read(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    sr_id = handed_over(web_env)
    customer = sign_in_as("cus")
    assert "담당 추천" not in customer.get_page(f"/issues/{sr_id}/who").text
    assert post(customer, sr_id, "assignment", act="take") == 403
    other = sign_in_as("cus2")
    assert other.get_page(f"/issues/{sr_id}/who").status_code == 404
    number = proposals(web_env, sr_id)[-1].proposal_id
    for path, form in (
        ("assignment", {"act": "take"}),
        (f"proposals/{number}", {"verdict": "accept"}),
        ("answer", {"text": "1"}),
        ("report", {"main": "1"}),
    ):
        status = other.submit_form(f"/issues/{sr_id}/{path}", "/issues", **form).status_code
        assert status == 404, path


@pytest.mark.slow
def test_the_commands_do_the_same(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        assert "미배정 이슈가 없습니다" in output("queue", "list")
        first, second = handed_over(env, NETWORK), handed_over(env)
        found = json.loads(output("queue", "list", "--json"))
        assert [row["sr_id"] for row in found["rows"]] == [first] and found["older"] is None
        assert f"SR-{first}" in output("queue", "list")
        assert "김철수 대리" in output("queue", "take", f"SR-{first}", "--as", "eng")
        assert "김철수 대리" in output("queue", "accept", second, "--as", "eng")
        assert invoke("queue", "accept", second, "--as", "eng").exit_code
        assert "최현우 PM" in output("assign", second, "pm", "--as", "lead")
        assert invoke("assign", second, "nobody", "--as", "lead").exit_code
        assert invoke("assign", second, "pm", "--as", "cus").exit_code
        lines = json.loads(output("queue", "fit", "--json"))["lines"]
        engineer = next(line for line in lines if line["name"] == "김철수 대리")
        assert (engineer["reassigned"], engineer["minutes"]) == (1, None)


@pytest.mark.slow
def test_the_choice_of_the_dispatcher_is_measured_too(env: BoardEnv) -> None:
    from guardia.board.assignment import view

    env.create_issue()
    given = assignment("MOF-DB-01")
    chosen = (Chosen("agent", "db-agent", 10, ("분야",)), Chosen("person", "eng", 26))
    assignments.file_triage(
        env.board,
        env.claim("dispatcher"),
        type(given)(**{**{n: getattr(given, n) for n in given.__slots__}, "chosen": chosen}),
    )
    lines = {line.kind: line for line in view.fit_report(env.board)}
    assert lines["agent"].delegated == lines["person"].delegated == 1
    assert lines["agent"].proposed == 0
