from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from board_env import LEAD, BoardEnv
from page_env import PageClient
from sqlalchemy import select

from guardia.board.core.goal_model import Goal
from guardia.board.core.model import Issue, Task
from guardia.board.goals import decisions, planning, view
from guardia.board.goals.planning import Breakdown, GoalPartDraft
from guardia.board.hiring.requests import Opening
from guardia.board.runs import beats

Browse = Callable[[str], PageClient]
OPENING = Opening("network-agent", "네트워크 전문가", ("NETWORK",), "dispatcher", "맡을 사람 없음")


def part(piece: int, text: str, **more: object) -> GoalPartDraft:
    words = {"kind": "REQUEST", "category": "WAS", "priority": "P3", "due_on": date(2030, 1, 2)}
    return GoalPartDraft(piece, text, **{**words, **more})  # type: ignore[arg-type]


def planned(web_env: BoardEnv, sr_id: int, parts: tuple[GoalPartDraft, ...] | None = None) -> None:
    """File a plan as the head agent would."""
    run_context = beats.begin(web_env.board, "dispatcher")
    assert run_context is not None
    claim = planning.claim_goal(web_env.board, run_context)
    assert claim is not None and claim.sr_id == sr_id
    parts = parts or (
        part(0, "상태 <b>점검</b>", server="MOF-WAS-01", agent_id="was-agent"),
        part(1, "로그 정리", server="MOF-WAS-01", agent_id="was-agent"),
        part(2, "회선 점검", server="MOF-DB-01", category="NETWORK", opening=OPENING),
        part(3, "보안 강화", question="대상 서버를 지정하거나 적어 주세요."),
    )
    pieces = tuple({"text": p.text, "sentence": n} for n, p in enumerate(parts))
    planning.file_plan(
        web_env.board, claim, Breakdown(pieces, parts, "내장 규칙", date(2030, 1, 2))
    )


def given(browser: PageClient) -> int:
    answer = browser.submit_form("/goals", "/goals/new", body="연말까지 <i>점검</i>", ticket="하나")
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


@pytest.mark.slow
def test_a_goal_is_filed_and_partly_approved_and_its_children_are_linked(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    lead = sign_in_as("lead")
    sr_id = given(lead)
    assert given(lead) == sr_id
    assert "계획을 수립하고 있습니다" in lead.get_page(f"/goals/{sr_id}").text
    planned(web_env, sr_id)
    text = lead.get_page(f"/goals/{sr_id}").text
    assert "상태 &lt;b&gt;점검" in text and "<b>점검" not in text and "<i>점검" not in text
    assert "대상 서버를 지정하거나" in text and "2030-01-02" in text and "네트워크 전문가" in text
    shown = re.search(r'name="plan_hash" value="(\w+)"', text)
    assert shown
    stale = {"verb": "approve", "plan_hash": "0" * 64, "keep": "0"}
    assert (
        lead.submit_form(f"/goals/{sr_id}/decision", f"/goals/{sr_id}", **stale).status_code == 409
    )
    nothing = {"verb": "approve", "plan_hash": shown[1]}
    assert (
        lead.submit_form(f"/goals/{sr_id}/decision", f"/goals/{sr_id}", **nothing).status_code
        == 422
    )
    kept = {**nothing, "keep": ["0", "2"]}
    answer = lead.submit_form(f"/goals/{sr_id}/decision", f"/goals/{sr_id}", **kept)  # type: ignore[arg-type]
    assert answer.status_code == 303
    with web_env.board.database.reading() as session:
        query = select(Issue).where(Issue.goal_id == sr_id).order_by(Issue.sr_id)
        first, second = session.scalars(query).all()
    assert (first.parent_id, first.status, second.status) == (sr_id, "PARSED", "RECEIVED")
    text = lead.get_page(f"/goals/{sr_id}").text
    assert f'href="/issues/{first.sr_id}"' in text and "0%" in text
    assert f'href="/goals/{sr_id}"' in lead.get_page(f"/issues/{first.sr_id}").text
    assert f'href="/issues/{second.sr_id}"' in lead.get_page(f"/issues/{sr_id}").text
    only = lead.get_page(f"/issues?q=parent:{sr_id}").text
    assert f'id="sr-{first.sr_id}"' in only and f'id="sr-{sr_id}"' not in only
    assert f'id="sr-{second.sr_id}"' in lead.get_page(f"/issues?q=goal:SR-{sr_id}&state=all").text


@pytest.mark.slow
def test_a_guess_is_marked_and_opened_only_if_a_person_marks_it(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    lead = sign_in_as("lead")
    sr_id = given(lead)
    parts = (
        part(0, "상태 점검", server="MOF-WAS-01", agent_id="was-agent"),
        part(1, "회선 점검", server="MOF-DB-01", agent_id="db-agent", guessed=True),
    )
    planned(web_env, sr_id, parts)
    text = lead.get_page(f"/goals/{sr_id}").text
    boxes = re.findall(r'<input type="checkbox" id="keep-(\d)"[^>]*?(checked)?>', text)
    assert boxes == [("0", "checked"), ("1", "")]
    assert "추정" in text and re.findall(r'<option value="([^"]*)"', text) == [
        "1:MOF-DB-01",
        "1:MOF-WAS-01",
        "1:",
    ]
    shown = re.search(r'name="plan_hash" value="(\w+)"', text)
    assert shown
    form = {"verb": "approve", "plan_hash": shown[1], "keep": ["0", "1"]}
    wrong = {**form, "server": "1:NO-SUCH-01"}
    at = f"/goals/{sr_id}"
    assert lead.submit_form(f"{at}/decision", at, **wrong).status_code == 404  # type: ignore[arg-type]
    chosen = {**form, "server": "1:MOF-WAS-01"}
    assert lead.submit_form(f"{at}/decision", at, **chosen).status_code == 303  # type: ignore[arg-type]
    with web_env.board.database.reading() as session:
        servers = session.scalars(
            select(Task.target_server)
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(Issue.goal_id == sr_id)
            .order_by(Issue.sr_id)
        ).all()
    assert servers == ["MOF-WAS-01", "MOF-WAS-01"]


def test_guesses_are_not_part_of_an_approval_of_everything(web_env: BoardEnv) -> None:
    sr_id = planning.create_goal(web_env.board, LEAD, "점검", channel="cli")
    parts = (
        part(0, "상태 점검", server="MOF-WAS-01", agent_id="was-agent"),
        part(1, "회선 점검", server="MOF-DB-01", agent_id="db-agent", guessed=True),
    )
    planned(web_env, sr_id, parts)
    bound = view.get_goal(web_env.board, LEAD, sr_id).plan_hash or ""
    assert len(decisions.approve(web_env.board, LEAD, sr_id, plan_hash=bound)) == 1


@pytest.mark.slow
def test_answers_drop_and_their_refusals_are_shown(sign_in_as: Browse, web_env: BoardEnv) -> None:
    lead = sign_in_as("lead")
    sr_id = given(lead)
    planned(web_env, sr_id)
    path = f"/goals/{sr_id}"
    answer = lead.submit_form(f"{path}/answers", path, piece="3", words="MOF-DB-01 보안 점검")
    assert answer.status_code == 303
    with web_env.board.database.reading() as session:
        goal = session.get(Goal, sr_id)
        assert goal is not None and goal.state == "GIVEN"
        assert goal.pieces[3] == {"text": "MOF-DB-01 보안 점검", "sentence": 3, "reworded": True}
    refused = lead.submit_form(f"{path}/decision", path, verb="drop", reason=" ")
    assert refused.status_code == 422 and "사유" in refused.text
    assert (
        lead.submit_form(f"{path}/decision", path, verb="drop", reason="불필요").status_code == 303
    )
    assert "불필요" in lead.get_page(path).text
    again = lead.submit_form(f"{path}/decision", path, verb="drop", reason="또")
    assert again.status_code == 409 and "중단" in again.text


@pytest.mark.slow
def test_only_people_with_permission_decide_hires(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id = given(sign_in_as("lead"))
    planned(web_env, sr_id)
    lead, pm = sign_in_as("lead"), sign_in_as("pm")
    assert 'action="/hires/1"' not in lead.get_page("/goals").text
    assert lead.submit_form("/hires/1", "/goals/new", decision="approve").status_code == 403
    assert "0원" in pm.get_page("/goals").text
    assert pm.submit_form("/hires/1", "/goals", decision="reject").status_code == 422
    assert pm.submit_form("/hires/1", "/goals", decision="approve").status_code == 303
    again = pm.submit_form("/hires/1", "/goals/new", decision="approve")
    assert again.status_code == 409
    assert "조직도 개정 2" in pm.get_page(f"/goals/{sr_id}").text


@pytest.mark.slow
def test_people_without_permission_cannot_see_goals(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id = given(sign_in_as("lead"))
    customer, engineer = sign_in_as("cus"), sign_in_as("eng")
    assert customer.get_page("/goals").status_code == 403
    assert customer.get_page(f"/issues/{sr_id}").status_code == 404
    assert engineer.get_page(f"/goals/{sr_id}").status_code == 200
    assert engineer.get_page("/goals/new").status_code == 403
    assert engineer.submit_form("/goals", "/issues/new", body="x").status_code == 403
    assert sign_in_as("lead").get_page("/goals/999").status_code == 404
    assert sign_in_as("lead").submit_form("/goals", "/goals/new", body=" ").status_code == 422
