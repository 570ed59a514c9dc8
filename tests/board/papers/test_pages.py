"""Papers on pages and in the API: what they say, who may take them, and that it is audited."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, SERVER, BoardEnv
from openpyxl import load_workbook
from page_env import ADMIN, IssueScenario, PageClient
from service_env import completed
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.audit.model import AuditEntry
from guardia.board.papers import template
from guardia.board.remote_console import progress, runs
from guardia.board.remote_console.policy import TargetState
from guardia.board.remote_console.progress import ReadResult
from guardia.board.remote_console.targets import RunLimits
from guardia.org.directory import PersonInfo

Browse = Callable[[str], PageClient]


def approve(env: BoardEnv, scenario: IssueScenario, person: PersonInfo = LEAD) -> None:
    decisions.decide(
        env.board,
        person,
        scenario.claim.task_id,
        approve=True,
        plan_hash=scenario.plan_hash,
        reason="업무 시간 외 작업 조건",
    )


def taken(env: BoardEnv) -> list[tuple[str, int | None, dict[str, Any]]]:
    query = select(AuditEntry).where(AuditEntry.kind == "paper_issued").order_by(AuditEntry.seq)
    with env.board.database.reading() as session:
        return [(row.actor, row.sr_id, row.detail) for row in session.scalars(query)]


def fields_of(paper: dict[str, Any]) -> dict[str, Any]:
    return {one["label"]: one["value"] for part in paper["sections"] for one in part["fields"]}


def table_of(paper: dict[str, Any], title: str) -> list[dict[str, Any]]:
    part = next(one for one in paper["sections"] if title in one["title"])
    heads = [column["label"] for column in part["table"]["columns"]]
    return [dict(zip(heads, row, strict=True)) for row in part["table"]["rows"]]


@pytest.mark.slow
def test_the_plan_before_its_approval(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id=CUSTOMER.id, institution="MOF")
    at = f"/issues/{scenario.sr_id}/papers"
    browser = sign_in_as("eng")
    page = browser.get_page(at).text
    assert "작업계획서" in page and "작업결과서</h2>" not in page
    printed = browser.get_page(f"{at}/work_plan").text
    for text in ("budgetdb의 로그 수준을 DEBUG에서 INFO로", "printf INFO", "결재 현황"):
        assert text in printed, text
    assert "정다은" not in printed
    api = f"/api/v3/papers/issues/{scenario.sr_id}"
    assert browser.get(api).json() == {"kinds": ["work_plan"]}
    paper = browser.get(f"{api}/work_plan").json()
    known = fields_of(paper)
    assert known["요청번호"] == f"SR-{scenario.sr_id}" and known["기관"] == "기획재정부"
    assert known["대상 서버"] == "MOF-DB-01" and known["대상 서비스"] == "budgetdb"
    assert known["요청자"] == "장하늘 주무관" and known["작업 시작 일시"] == "승인되면 바로"
    assert known["원복 가능 여부"] == "일부만 원복 가능" and known["백업"] is None
    assert not known["문서번호"] and not known["입회자"] and not known["원복 판단 시각"]
    steps = table_of(paper, "작업 내용")
    assert [row["순번"] for row in steps] == [1, 2] and "PGPASSWORD=***" in steps[0]["명령"]
    assert [row["시각"] for row in steps] == [None, None]
    undo = table_of(paper, "원복 계획")
    assert undo[0]["원복 방법"].startswith("원복 불가") and "DEBUG" in undo[1]["원복 방법"]
    contacts = table_of(paper, "비상연락망")
    assert {"구분": "요청자", "성명·직위": "장하늘 주무관", "연락처": None} in contacts
    assert any(row["성명·직위"] == "김철수 대리" for row in contacts)
    assert table_of(paper, "결재 현황")[0]["결재선"] == "팀장"
    book = browser.get(f"{at}/work_plan?format=xlsx")
    assert unquote(book.headers["content-disposition"]).endswith(
        f"작업계획서 SR-{scenario.sr_id}.xlsx"
    )
    sheet: Any = load_workbook(io.BytesIO(book.content)).worksheets[0]
    assert any("printf INFO" in str(c.value) for row in sheet.iter_rows() for c in row)
    hangul = browser.get(f"{at}/work_plan?format=hwpx")
    assert hangul.content[:2] == b"PK" and hangul.headers["content-type"] == "application/hwp+zip"
    forms = [entry[2]["format"] for entry in taken(web_env)]
    assert forms == ["html", "json", "xlsx", "hwpx"]
    assert {entry[:2] for entry in taken(web_env)} == {("person:eng", scenario.sr_id)}


@pytest.mark.slow
def test_result_and_incident_report_of_what_has_ended(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id=CUSTOMER.id, institution="MOF")
    approve(web_env, scenario)
    scenario.start().complete()
    api = f"/api/v3/papers/issues/{scenario.sr_id}"
    browser = sign_in_as("lead")
    kinds = browser.get(api).json()["kinds"]
    assert kinds == ["work_plan", "work_result", "incident"]
    result = browser.get(f"{api}/work_result").json()
    known = fields_of(result)
    assert known["작업 결과"] == "완료" and known["실제 시작"] <= known["실제 종료"]
    runs = table_of(result, "수행 내역")
    assert [row["결과"] for row in runs] == ["성공", "성공"]
    assert [row["구분"] for row in runs] == ["수행", "수행"] and "printf" in runs[1]["명령"]
    vote = table_of(result, "결재 현황")[0]
    assert (vote["결재자"], vote["결정"]) == ("정다은 팀장", "승인") and vote["의견"]
    report = browser.get(f"{api}/incident").json()
    known = fields_of(report)
    assert known["직접 원인"] == scenario.plan.because and known["근본 원인"] == ""
    assert known["접수 일시"] and known["복구 일시"] and known["복구 시간(감지~복구)"]
    assert known["발생 일시"] is None and known["장애 시간(발생~복구)"] is None
    measures = [row["내용"] for row in table_of(report, "조치 내역")]
    assert measures[0].startswith(f"SR-{scenario.sr_id} 접수") and "완료" in measures[-1]
    assert not any("조회" in text and "명령" in text for text in measures)
    assert len(table_of(report, "재발방지대책")) == 3


@pytest.mark.slow
def test_customers_take_only_what_they_may_see(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id=CUSTOMER.id, institution="MOF")
    at, api = f"/issues/{scenario.sr_id}/papers", f"/api/v3/papers/issues/{scenario.sr_id}"
    customer = sign_in_as("cus")
    assert customer.get(api).json() == {"kinds": []}
    assert "만들 수 있는 문서가 없습니다" in customer.get_page(at).text
    assert customer.get(f"{at}/work_plan").status_code == 404
    for stranger in ("cus2", "cus3"):
        browser = sign_in_as(stranger)
        for path in (at, f"{at}/work_plan", api, f"{api}/work_result"):
            assert browser.get(path).status_code == 404, (stranger, path)
    approve(web_env, scenario)
    scenario.start().complete()
    assert customer.get(api).json() == {"kinds": ["work_result", "incident"]}
    for kind in ("work_result", "incident"):
        text = customer.get(f"{api}/{kind}").text
        assert "printf" not in text and "psql" not in text and "정다은" not in text
        known = fields_of(customer.get(f"{api}/{kind}").json())
        assert known["요청번호"] == f"SR-{scenario.sr_id}"
        assert known["조치 내용"].startswith("MOF-DB-01의 budgetdb DB")
    assert customer.get("/reports").status_code == 403
    assert sign_in_as("audit").get(f"{api}/work_plan").status_code == 200


@pytest.mark.slow
def test_the_month_of_an_institution(sign_in_as: Browse, web_env: BoardEnv) -> None:
    ended = completed(web_env)
    waiting = IssueScenario(web_env).waiting(institution="MOF")
    browser = sign_in_as("pm")
    page = browser.get_page("/reports?institution=MOF").text
    assert "기획재정부" in page and "월간 운영보고서" in page and SERVER.server_id in page
    paper = browser.get("/api/v3/papers/months/MOF").json()
    known = fields_of(paper)
    assert (
        known["기관"] == "기획재정부"
        and known["접수"] == "2건"
        and known["미결(월말 기준)"] == "1건"
    )
    assert known["처리 완료"] == "1건" and known["가용률(%)"] == ""
    kinds = {row["유형"]: row for row in table_of(paper, "요청 처리 현황")}
    assert sum(row["접수"] for row in kinds.values()) == 2
    levels = table_of(paper, "서비스 수준")
    assert sum(row["준수"] for row in levels) == 2 and known["준수율(%)"] == "100.0"
    assert [row["번호"] for row in table_of(paper, "미결 요청")] == [f"SR-{waiting.sr_id}"]
    assert f"SR-{ended}" in [row["번호"] for row in table_of(paper, "장애 현황")]
    other = fields_of(browser.get("/api/v3/papers/months/MOE?month=2020-02").json())
    assert other["접수"] == "0건" and other["준수율(%)"] is None and other["대상 월"] == "2020-02"
    assert browser.get("/reports/month?institution=XXX").status_code == 404
    assert browser.get("/reports/month?institution=MOF&month=2026-13").status_code == 422
    assert browser.get("/reports/month?institution=MOF&format=pdf").status_code == 422
    assert "월간 운영보고서" in browser.get_page("/reports/month?institution=MOF").text
    assert taken(web_env)[-1][2]["institution"] == "MOF"


def measure(env: BoardEnv, findings: dict[str, Any], state: TargetState = TargetState.OK) -> None:
    """Read the load of the server by the remote console."""
    asked = runs.RunRequest(tool="host.load", servers=[SERVER.server_id])
    work = progress.begin(env.board, runs.start(env.board, ENGINEER, asked, RunLimits(9, 9)))
    assert work is not None and progress.take(env.board, work, 1)
    progress.settle(env.board, work, 1, ReadResult(state, 5, findings))
    progress.finish(env.board, work)


@pytest.mark.slow
def test_the_checklist_of_a_server(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(institution="MOF")
    browser = sign_in_as("eng")
    paper = browser.get(f"/api/v3/papers/inspections/{SERVER.server_id}").json()
    known = fields_of(paper)
    assert known["서버"] == SERVER.server_id and known["처리 중인 요청"] == "1건"
    assert known["점검자"] == "" and known["운영체제"] is None
    items = table_of(paper, "점검 항목")
    assert len(items) == 18
    read = {row["점검 항목"]: row["측정값"] for row in items if row["측정값"] is not None}
    assert list(read) == ["세션·잠금 대기"]  # an agent has read it for the request
    assert read["세션·잠금 대기"].startswith("budgetdb: 잠금 대기 세션 2개 (")
    assert [r["번호"] for r in table_of(paper, "요청·장애")] == [f"SR-{scenario.sr_id}"]
    measure(web_env, {"load1": 0.5, "load5": 0.4, "cores": 4, "memory_percent": 12})
    measure(web_env, {"load1": 0.75, "cores": 4, "memory_percent": 9})
    measure(web_env, {"load1": 8, "memory_percent": 99}, TargetState.FAILED)
    address = f"/api/v3/papers/inspections/{SERVER.server_id}"
    filled = {
        r["점검 항목"]: r["측정값"] for r in table_of(browser.get(address).json(), "점검 항목")
    }
    known = {name: value for name, value in filled.items() if value is not None}
    assert set(known) == {"CPU 사용률", "메모리 사용률", "세션·잠금 대기"}
    assert known["CPU 사용률"].startswith("부하(1분) 0.75, 코어 4 (")
    assert known["메모리 사용률"].startswith("9% (")
    measure(web_env, {"cores": 4})  # what a check has not found is not made up
    unknown = table_of(browser.get(address).json(), "점검 항목")
    assert [r["점검 항목"] for r in unknown if r["측정값"] is not None] == ["세션·잠금 대기"]
    past = table_of(browser.get(f"{address}?month=2020-02").json(), "점검 항목")
    assert {row["측정값"] for row in past} == {None}
    assert browser.get("/reports/inspection?server=nothing").status_code == 404
    checklist = f"/reports/inspection?server={SERVER.server_id}"
    assert sign_in_as("cus").get(checklist).status_code == 403


@pytest.mark.slow
def test_an_institution_edits_its_template(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting(institution="MOF")
    admin = sign_in_as("admin")
    at = "/papers/templates/work_plan"
    assert "기본 서식" in admin.get_page(f"{at}?institution=MOF").text
    own = template.shipped_text("work_plan").replace("title: 작업계획서", "title: 작업 승인 신청서")
    given = {"institution": "MOF", "text": own, "seen": "0", "reason": "기관 서식"}
    source = f"{at}?institution=MOF"
    shown = admin.submit_form(at, source, act="check", **given)
    assert shown.status_code == 200 and "[cause]" in shown.text and "작업 승인 신청서" in shown.text
    wrong = admin.submit_form(at, source, act="apply", **{**given, "text": own + "x: 1\n"})
    assert wrong.status_code == 422 and "행" in wrong.text and "x: 1" in wrong.text
    assert admin.submit_form(at, source, act="apply", **given).status_code == 303
    lost = admin.submit_form(at, source, act="apply", **{**given, "text": own + "# x\n"})
    assert lost.status_code == 409
    api = f"/api/v3/papers/issues/{scenario.sr_id}/work_plan"
    assert admin.get(api).json()["title"] == "작업 승인 신청서"
    entry = admin.get("/api/v3/papers/templates/work_plan?institution=MOF").json()
    assert entry["source"] == "institution" and entry["number"] == 1
    assert admin.get("/api/v3/papers/templates/work_plan").json()["source"] == "shipped"
    assert admin.submit_form(at, source, act="reset", **{**given, "seen": "1"}).status_code == 303
    assert admin.get(api).json()["title"] == "작업계획서"
    restored = admin.submit_form(
        "/papers/templates/versions/1", source, kind="work_plan", institution="MOF"
    )
    assert restored.status_code == 303 and admin.get(api).json()["title"] == "작업 승인 신청서"
    versions = admin.get("/api/v3/papers/templates/work_plan/versions?institution=MOF").json()
    assert [one["number"] for one in versions] == [3, 2, 1] and versions[1]["is_removal"]
    assert versions[2]["reason"] == "기관 서식" and versions[2]["author"] == f"person:{ADMIN.id}"
    for account, status in (("eng", 403), ("cus", 403), ("pm", 200)):
        assert sign_in_as(account).get(at).status_code == status, account
    assert admin.get(f"{at}?institution=XXX").status_code == 404
