from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest
from board_env import ENGINEER, BoardEnv
from page_env import PAGE, IssueScenario, PageClient, realistic_plan, recorded_statements
from sqlalchemy import text

from guardia.board.approvals import decisions
from guardia.board.assignment.understanding import Understanding
from guardia.board.core import wake_budget
from guardia.board.core.actors import Actor
from guardia.board.core.model import Issue
from guardia.board.execution import tasks, view
from guardia.board.issues import comments

Browse = Callable[[str], PageClient]
BAR_LOCKED = '<fieldset class="decide-bar" disabled>'
PLAN_HASH = re.compile(r'name="plan_hash" value="([^"]+)"')
NUMBER = re.compile(r"(?<=SR-)\d+|(?<=/issues/)\d+")
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Built(HTMLParser):
    """The tags and texts that a browser would build."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def decision(browser: PageClient, scenario: IssueScenario, **fields: str) -> Any:
    path = f"/issues/{scenario.sr_id}/tasks/{scenario.claim.task_id}/decision"
    return browser.submit_form(path, **{"plan_hash": scenario.plan_hash, **fields})


# --- the list --------------------------------------------------------------------------------


def test_an_empty_list_shows_a_message(sign_in_as: Browse) -> None:
    browser = sign_in_as("lead")
    assert "진행 중인 요청이 없습니다" in browser.get_page("/issues").text
    nothing = browser.get_page("/issues?q=<b>없는말</b>").text
    assert "‘&lt;b&gt;없는말&lt;/b&gt;’에 해당하는 요청이 없습니다" in nothing


def test_the_list_shows_the_main_fields(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    html = sign_in_as("lead").get_page("/issues").text
    assert f'href="/issues/{scenario.sr_id}"' in html
    for shown in ("승인 대기", "MOF-DB-01", "DB 전문가", "김철수 대리", "P2", "내 결재 대기"):
        assert shown in html
    assert "내 결재 대기" not in sign_in_as("eng").get_page("/issues").text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "badge"),
    [
        ("FAILED_ROLLBACK", "bg-danger"),
        ("COMPLETED", "bg-light-primary"),
        ("IN_PROGRESS", "bg-light-warning"),
        ("PENDING_APPROVAL", "bg-warning"),
        ("PARSED", "bg-light-gray"),
        ("MANUAL", "bg-warning"),
        ("REJECTED", "bg-light-danger"),
        ("RECEIVED", "bg-light-gray"),
    ],
)
def test_states_have_their_colours(
    sign_in_as: Browse, web_env: BoardEnv, database: Any, state: str, badge: str
) -> None:
    web_env.create_issue()
    with psycopg.connect(database.superuser) as connection:
        connection.execute("set session_replication_role = replica")  # no move leads there
        connection.execute("update tb_sr_request set status = %s", [state])
    html = sign_in_as("lead").get_page("/issues?state=all").text
    assert re.search(rf'krds-badge {badge} status" data-status="{state}"', html)


def test_pages_of_the_list_lead_to_each_other(sign_in_as: Browse, web_env: BoardEnv) -> None:
    for number in range(30):
        web_env.create_issue(text=f"요청 {number}")
    browser = sign_in_as("lead")
    first = browser.get_page("/issues").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = browser.get_page(older[1].replace("&amp;", "&")).text
    assert second.count('data-status="RECEIVED"') == 5
    assert 'rel="next"' not in second
    assert 'rel="prev"' in second


def test_the_live_refresh_sends_only_what_may_have_changed(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    web_env.create_issue()
    answer = sign_in_as("lead").get("/issues", headers={"hx-request": "true"})
    assert "<html" not in answer.text
    # The band of the kill switch, the card of approvals and the rows.
    assert answer.text.count('hx-swap-oob="true"') == 3
    again = sign_in_as("lead").get("/issues", headers={"hx-request": "true"}).text
    assert re.findall(r'data-version="\w+"', again) == re.findall(
        r'data-version="\w+"', answer.text
    )


@pytest.mark.parametrize("query", ["state=x", "before=-1", "after=x", f"before={2**70}"])
def test_an_invalid_query_is_a_client_error(sign_in_as: Browse, query: str) -> None:
    assert sign_in_as("lead").get_page(f"/issues?{query}").status_code == 422


# --- a new request ---------------------------------------------------------------------------


def test_a_person_files_a_request(sign_in_as: Browse, web_env: BoardEnv) -> None:
    answer = sign_in_as("cus").submit_form(
        "/issues", title="운영DB가 느려요", body="어제부터요", ticket="t1"
    )
    assert answer.headers["location"] == "/issues/1"
    with web_env.board.database.reading() as session:
        row = session.execute(text("select * from tb_sr_request")).one()
    assert (row.title, row.body, row.channel) == ("운영DB가 느려요", "어제부터요", "web")
    assert (row.requester_id, row.requester_name, row.inst_id) == ("cus", "장하늘 주무관", "MOF")


def test_triage_reads_title_and_text_of_a_form(sign_in_as: Browse, web_env: BoardEnv) -> None:
    title = "지난주 점검 이후 " * 14 + "MOF-DB-01"
    sign_in_as("cus").submit_form("/issues", title=title, body="운영DB가 느려요", ticket="t")
    with web_env.board.database.reading() as session:
        task_id = session.scalar(text("select task_id from tb_ops_task"))
    assert task_id is not None
    assert view.task(web_env.board, task_id).request == f"{title}\n운영DB가 느려요"


def test_the_same_form_sent_twice_opens_one_issue(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("eng")
    for _ in range(2):
        answer = browser.submit_form("/issues", title="한 번만", ticket="same")
        assert answer.headers["location"] == "/issues/1"
    # Tickets are per person: a guessed ticket does not match another person's form.
    assert sign_in_as("pm").submit_form("/issues", title="다른", ticket="same").headers[
        "location"
    ] != ("/issues/1")


@pytest.mark.slow
def test_an_empty_request_shows_the_form_again(sign_in_as: Browse) -> None:
    answer = sign_in_as("eng").submit_form("/issues", title="  ", body="", ticket="t")
    assert answer.status_code == 422
    assert "제목 또는 내용" in answer.text
    assert 'value="t"' in answer.text


def test_the_auditor_cannot_file_a_request(sign_in_as: Browse) -> None:
    browser = sign_in_as("audit")
    assert browser.get_page("/issues/new").status_code == 403
    assert browser.submit_form("/issues", title="x").status_code == 403
    assert 'href="/issues/new"' not in browser.get_page("/issues").text


# --- the page of an issue ----------------------------------------------------------------------


def test_staff_see_plan_evidence_citation_approval_and_audit_log(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    html = sign_in_as("eng").get_page(f"/issues/{scenario.sr_id}").text
    for shown in (
        "세션 2개가 그 잠금을 기다립니다",
        "잠금 대기 해소",
        "제3판",
        "<strong>갑자기</strong>",
        "pg_terminate_backend",
        "원복 불가",
        "DB 잠금 대기 조회",
        "budget-closing",
        "waiting == `0`",
        "조치 계획 제출",
        scenario.plan_hash[:12],
    ):
        assert shown in html, shown
    assert 'name="decision"' not in html


def test_the_difference_of_a_configuration_is_shown(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    with web_env.board.database.transaction() as session:
        session.execute(
            text(
                "update tb_ops_task set plan ="
                " jsonb_set(plan, '{actions,0,difference}', '\"-a <b>\\n+a 2\"', true)"
            )
        )
    html = sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}").text
    assert "변경 내용" in html and "-a &lt;b&gt;\n+a 2" in html


def test_customers_see_neither_plan_nor_evidence_nor_audit_log(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("cus")
    for path in ("", "/live?seen=0"):
        html = browser.get_page(f"/issues/{scenario.sr_id}{path}").text
        assert "조치 계획을 제출하여 승인을 기다리고 있습니다" in html
        for hidden in ("4711", "pg_", "잠금", scenario.plan_hash[:12], "성능 저하", "디스패처"):
            assert hidden not in html, hidden


@pytest.mark.slow
@pytest.mark.parametrize("account", ["cus2", "cus3"])
def test_another_institutions_issue_is_not_found(
    sign_in_as: Browse, web_env: BoardEnv, account: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as(account)
    at = f"/issues/{scenario.sr_id}"
    none = "/issues/4040"
    for suffix in ("", "/live", "/evidence/1"):
        there, nowhere = browser.get_page(at + suffix), browser.get_page(none + suffix)
        assert there.status_code == nowhere.status_code == 404
        assert NUMBER.sub("", there.text) == NUMBER.sub("", nowhere.text)
    for suffix, fields in (
        ("/comments", {"body": "x"}),
        (f"/tasks/{scenario.claim.task_id}/decision", {"decision": "approve", "plan_hash": "x"}),
    ):
        assert browser.submit_form(at + suffix, **fields).status_code == 404
        assert browser.submit_form(none + suffix, **fields).status_code == 404
    stream = browser.get(f"/events?sr={scenario.sr_id}")
    assert stream.status_code == 404
    assert f"SR-{scenario.sr_id}" not in browser.get_page("/issues?state=all").text.replace(
        "SR-N", ""
    )


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63), "1e3"])
def test_an_invalid_number_is_not_found(sign_in_as: Browse, number: str) -> None:
    assert sign_in_as("lead").get_page(f"/issues/{number}").status_code == 404


@pytest.mark.slow
def test_untrusted_text_is_escaped_everywhere(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env, plan=realistic_plan().model_copy(update={"because": ATTACK}))
    scenario.receive(ATTACK, sender=ATTACK, room=ATTACK).parse()
    scenario.diagnose({"waiting": ATTACK, ATTACK: [{ATTACK: ATTACK}], "lines": [ATTACK]}, ATTACK)
    scenario.file()
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), ATTACK)
    browser = sign_in_as("lead")
    harmless = web_env.create_issue()
    for path in ("/issues", f"/issues/{scenario.sr_id}", f"/issues/{scenario.sr_id}/live"):
        alike = path.replace(f"/{scenario.sr_id}", f"/{harmless}")
        clean = Built(browser.get_page(alike).text).tags.count("script")
        html = browser.get_page(path).text
        built = Built(html)
        assert "alert(1)" in html
        assert built.tags.count("script") == clean
        assert "onerror" not in built.handlers
        assert not built.handlers
    raw = browser.get_page(f"/issues/{scenario.sr_id}/evidence/1")
    assert raw.headers["content-type"].startswith("text/plain")
    assert raw.text == ATTACK


@pytest.mark.slow
def test_a_part_that_did_not_change_keeps_its_version(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser, at = sign_in_as("lead"), f"/issues/{scenario.sr_id}"
    versions = re.compile(r'id="part-(\w+)" data-version="(\w+)"')
    before = dict(versions.findall(browser.get_page(f"{at}/live").text))
    assert dict(versions.findall(browser.get_page(f"{at}/live").text)) == before
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "확인")
    after = dict(versions.findall(browser.get_page(f"{at}/live").text))
    assert {name for name in after if after[name] != before[name]} <= {"timeline", "facts"}
    assert after["timeline"] != before["timeline"]


@pytest.mark.slow
def test_the_outcome_is_shown_at_the_top(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    decision(sign_in_as("lead"), scenario, decision="approve")
    scenario.start().complete()
    html = sign_in_as("eng").get_page(f"/issues/{scenario.sr_id}").text
    assert html.index("조치를 완료하고") < html.index("요청 내용")
    assert "조치:" in html
    theirs = sign_in_as("cus").get_page(f"/issues/{scenario.sr_id}").text
    assert "조치를 완료하고" in theirs
    assert "조치:" not in theirs


def test_a_plan_that_is_not_the_filed_one_is_shown_with_a_warning(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    with web_env.board.database.transaction() as session:
        session.execute(text("update tb_ops_task set plan = jsonb_set(plan, '{because}', '\"x\"')"))
    assert "승인하지 말고" in sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}").text


def test_times_are_shown_in_seoul_time(sign_in_as: Browse, web_env: BoardEnv) -> None:
    web_env.create_issue()
    with web_env.board.database.transaction() as session:
        session.execute(text("update tb_sr_request set created_at = '2026-11-20 16:30:05+00'"))
    assert "2026-11-21 01:30:05" in sign_in_as("lead").get_page("/issues/1").text


# --- decisions -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_lead_approves_the_plan_that_the_page_showed(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    html = browser.get_page(f"/issues/{scenario.sr_id}").text
    assert html.index("결재할 계획") < html.index("요청 내용")
    shown = PLAN_HASH.search(html)
    assert shown
    answer = decision(browser, scenario, decision="approve", plan_hash=shown[1], reason="확인")
    at = f"/issues/{scenario.sr_id}"
    following = f"{at}?decided={scenario.claim.task_id}"
    assert (answer.status_code, answer.headers["location"]) == (303, following)
    after = browser.get_page(following).text
    assert "승인됨" in after
    assert "승인했습니다." in after and "에이전트가 조치를 시작하며" in after
    # The confirmation is shown only to the person who decided.
    assert "승인했습니다." not in sign_in_as("lead2").get_page(following).text
    assert 'name="decision"' not in after


def test_a_plan_that_has_changed_is_not_approved(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    answer = decision(sign_in_as("lead"), scenario, decision="approve", plan_hash="0" * 64)
    assert answer.status_code == 409
    assert "변경되었습니다" in answer.text
    # The form keeps the plan that it was opened with, and is locked until the change was opened.
    shown = PLAN_HASH.search(answer.text)
    assert shown and shown[1] == "0" * 64
    assert BAR_LOCKED in answer.text
    assert "승인 대기" in answer.text


@pytest.mark.slow
@pytest.mark.parametrize("account", ["eng", "pm", "officer", "admin", "audit", "cus"])
def test_other_people_cannot_decide_a_step(
    sign_in_as: Browse, web_env: BoardEnv, account: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as(account)
    assert 'name="decision"' not in browser.get_page(f"/issues/{scenario.sr_id}").text
    answer = decision(browser, scenario, decision="approve")
    assert answer.status_code == 403
    assert "권한이 없습니다" in answer.text
    assert "pg_terminate" not in answer.text or account != "cus"


@pytest.mark.slow
def test_people_cannot_approve_their_own_request(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id="lead")
    assert decision(sign_in_as("lead"), scenario, decision="approve").status_code == 403
    assert decision(sign_in_as("lead2"), scenario, decision="approve").status_code == 303


@pytest.mark.slow
def test_a_rejection_needs_a_reason(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    answer = decision(browser, scenario, decision="reject", reason=" ")
    assert answer.status_code == 422
    assert "사유를 입력해 주세요" in answer.text
    closing = {"decision": "reject", "then": "close", "reason": "점검 시간"}
    assert decision(browser, scenario, **closing).status_code == 303
    html = browser.get_page(f"/issues/{scenario.sr_id}").text
    assert "조치하지 않고 종료했습니다. 장애가 해소되었는지 확인되지 않았습니다" in html
    assert "점검 시간" in html
    again = browser.submit_form(
        f"/issues/{scenario.sr_id}/reopen", f"/issues/{scenario.sr_id}", reason="아직 느립니다"
    )
    assert again.status_code == 303
    assert "이슈 다시 열기: 아직 느립니다" in browser.get_page(f"/issues/{scenario.sr_id}").text


def test_the_task_must_be_of_the_issue_in_the_address(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    other = web_env.create_issue()
    browser = sign_in_as("lead")
    path = f"/issues/{other}/tasks/{scenario.claim.task_id}/decision"
    assert (
        browser.submit_form(path, decision="approve", plan_hash=scenario.plan_hash).status_code
        == 404
    )


def test_an_api_client_gets_the_refusal_as_json(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    answer = browser.post(
        f"/issues/{scenario.sr_id}/tasks/{scenario.claim.task_id}/decision",
        data={"csrf": browser.token(), "decision": "approve", "plan_hash": "0"},
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 409
    assert "변경되었습니다" in answer.json()["message"]


def pages_built(statements: list[str]) -> int:
    """Count how often the issue page was built: only it counts comments."""
    return sum("count(tb_comment.comment_id)" in statement for statement in statements)


@pytest.mark.slow
def test_a_form_that_is_accepted_does_not_build_the_page(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    at = f"/issues/{scenario.sr_id}"
    lead = sign_in_as("lead")
    for path, fields in (
        ("/comments", {"body": "확인했습니다"}),
        ("/tasks/1/orders", {"verb": "priority", "argument": "P1", "reason": "급함"}),
        ("/tasks/1/decision", {"decision": "approve", "plan_hash": scenario.plan_hash}),
    ):
        data = {"csrf": lead.token(), **fields}
        with recorded_statements(web_env.board) as statements:
            answer = lead.post(at + path, data=data, headers=PAGE, follow_redirects=False)
        location = answer.headers["location"].partition("?")[0]
        assert (answer.status_code, location) == (303, at), path
        assert pages_built(statements) == 0, path


@pytest.mark.slow
def test_a_refused_form_builds_the_page_once_and_for_api_clients_never(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    other, lead = web_env.create_issue(), sign_in_as("lead")
    data = {"csrf": lead.token(), "decision": "approve", "plan_hash": "0", "verb": "explode"}
    for sr_id, headers, status, built in (
        (scenario.sr_id, PAGE, 409, 1),
        (scenario.sr_id, {"accept": "application/json"}, 409, 0),
        (other, PAGE, 404, 0),
        (4040, PAGE, 404, 0),
    ):
        path = f"/issues/{sr_id}/tasks/{scenario.claim.task_id}"
        with recorded_statements(web_env.board) as statements:
            answer = lead.post(f"{path}/decision", data=data, headers=headers)
        assert (answer.status_code, pages_built(statements)) == (status, built)
        # Two statements identify the caller, one finds the task, one starts the decision.
        assert built or len(statements) <= 4
    with recorded_statements(web_env.board) as statements:
        assert lead.post(f"/issues/{other}/tasks/1/orders", data=data).status_code == 404
    assert len(statements) <= 3


# --- comments ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_comments_are_markdown_from_people_with_the_right(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("cus")
    path = f"/issues/{scenario.sr_id}/comments"
    assert browser.submit_form(path, body="**언제** 끝나나요?").status_code == 303
    html = browser.get_page(f"/issues/{scenario.sr_id}").text
    assert "<strong>언제</strong>" in html
    assert "장하늘 주무관" in html
    assert sign_in_as("audit").submit_form(path, body="x").status_code == 403
    assert 'name="body"' not in sign_in_as("audit").get_page(f"/issues/{scenario.sr_id}").text


@pytest.mark.slow
def test_an_empty_comment_is_refused_on_the_page(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive()
    answer = sign_in_as("eng").submit_form(f"/issues/{scenario.sr_id}/comments", body="  ")
    assert answer.status_code == 422
    assert "<html" in answer.text


@pytest.mark.slow
def test_what_english_speakers_do_is_recorded_in_korean(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    assert "Waiting for my approval" in browser.get_page("/issues?lang=en").text
    refused = decision(browser, scenario, decision="approve", plan_hash="0" * 64)
    assert "has changed" in refused.text
    decision(browser, scenario, decision="approve", reason="ok")
    with web_env.board.database.reading() as session:
        said = session.scalar(text("select log_content from tb_audit_log where kind = 'approved'"))
    assert said == "정다은 팀장 승인(1단계)"


@pytest.mark.slow
def test_the_engineer_and_the_decision_appear_by_name(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board,
        ENGINEER.model_copy(update={"id": "lead", "role": "team_lead"}),
        scenario.claim.task_id,
        approve=True,
        plan_hash=scenario.plan_hash,
        reason="영향 없음",
    )
    html = sign_in_as("eng").get_page(f"/issues/{scenario.sr_id}").text
    approval = html[html.index('class="steps"') :]
    assert "정다은 팀장" in approval[:1500]
    assert "영향 없음" in approval[:1500]


@pytest.mark.slow
def test_changes_are_requested_with_a_reason_on_the_page(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    browser = sign_in_as("lead")
    at = f"/issues/{scenario.sr_id}"
    page = browser.get_page(at).text
    assert 'value="change"' in page and "기한" in page
    assert decision(browser, scenario, decision="change", reason=" ").status_code == 422
    assert decision(browser, scenario, decision="change", reason="야간에").status_code == 303
    after = browser.get_page(at).text
    assert "야간에" in after and PLAN_HASH.search(after) is None
    assert decision(browser, scenario, decision="change", reason="야간에").status_code == 409


# --- a stalled issue -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_stalled_issue_is_marked_until_a_person_clears_the_stall(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = web_env.create_issue()
    for _ in range(wake_budget.MAX_WAKES + 1):
        comments.add_comment(web_env.board, sr_id, Actor.agent("auditor"), "@was-agent 확인")
    lead, path = sign_in_as("lead"), f"/issues/{sr_id}/stall/lift"
    assert "반복 실행으로 중단" in lead.get_page("/issues").text
    page = lead.get_page(f"/issues/{sr_id}").text
    assert "중단되었습니다" in page and "언급 사유의 실행 횟수" in page and path in page
    assert path not in sign_in_as("audit").get_page(f"/issues/{sr_id}").text
    assert sign_in_as("audit").submit_form(path).status_code == 403
    assert sign_in_as("cus2").submit_form(path).status_code == 404
    assert lead.submit_form(path).status_code == 303
    assert "반복 실행으로 중단" not in lead.get_page("/issues").text
    again = lead.submit_form(path)
    assert again.status_code >= 400 and "반복 실행으로 중단된 이슈가 아닙니다" in again.text


@pytest.mark.slow
def test_a_page_says_that_it_waits_for_a_person_where_none_is_assigned(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = web_env.create_issue(text="프린터가 안 됩니다")
    known = Understanding(
        kind="INCIDENT", category="GENERAL", priority="P2", reasons=("안 됩니다 → 이상",)
    )
    tasks.hand_over(web_env.board, web_env.claim("dispatcher"), "서버 없음", understood=known)
    browser = sign_in_as("lead")
    html = browser.get_page(f"/issues/{sr_id}").text
    assert "담당자 배정을 기다리고 있습니다" in html and "담당자가 직접 처리합니다" not in html
    assert "안 됩니다 → 이상" in html and "장애" in html
    with web_env.board.database.transaction() as session:
        session.get_one(Issue, sr_id).assignee_id = "eng"
    html = browser.get_page(f"/issues/{sr_id}").text
    assert "담당자가 직접 처리합니다" in html and "배정을 기다리고" not in html


def test_a_page_whose_only_readings_follow_the_plan_is_shown(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).receive().parse().file()
    scenario.diagnose({"waiting": 3})
    page = sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}")
    assert (page.status_code, "DB 잠금 대기 조회" in page.text) == (200, True)


def test_the_form_that_closes_an_issue_asks_for_what_was_done(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in_as("lead").get_page(f"/issues/{scenario.sr_id}").text
    assert ("처리 내용 또는 사유" in page, "다시 여는 사유" in page) == (True, False)
