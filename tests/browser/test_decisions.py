"""Decisions in a real browser: no plan is approved unseen, and the buttons stay in reach."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from board_env import ENGINEER, LEAD, BoardEnv, replace_plan
from page_env import IssueScenario, realistic_plan
from playwright.sync_api import Page, expect

from guardia.board.approvals import decisions
from guardia.board.control import directives, kill_switch
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.plan import Plan, ToolCall
from guardia.board.execution import commands, grants, tasks
from guardia.board.execution.commands import CommandResult
from guardia.board.goals import decisions as goal_decisions
from guardia.board.goals import planning
from guardia.board.goals.planning import Breakdown, GoalPartDraft
from guardia.board.issues import comments
from guardia.board.runs import beats

pytestmark = pytest.mark.browser

SignIn = Callable[..., Page]
PHONE = {"width": 390, "height": 844}
LOCKED = "변경 내용을 확인해야 결재할 수 있습니다."


def other_plan() -> Plan:
    """Return the usual plan with another log level."""
    old = realistic_plan()
    first, second = old.actions
    args = {**second.call.args, "level": "WARN"}
    update = {
        "call": ToolCall(tool=second.call.tool, args=args),
        "effect": second.effect.replace("INFO", "WARN"),
    }
    return old.model_copy(update={"actions": (first, second.model_copy(update=update))})


def is_live(page: Page) -> None:
    expect(page.locator(".live.on").first).to_be_visible()


def bound_hash(page: Page) -> str:
    return page.locator(".decide input[name=plan_hash]").input_value()


@pytest.mark.slow
def test_a_changed_plan_locks_the_form_until_its_changes_were_opened(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    is_live(page)
    page.get_by_label("의견", exact=True).fill("확인했습니다.")
    before = bound_hash(page)
    replace_plan(web_env.board, scenario.claim.task_id, other_plan(), ENGINEER)
    expect(page.locator(".stale")).to_contain_text("김철수 대리 변경")
    expect(page.locator(".stale")).to_contain_text("사유: 고침")
    for name in ("승인", "변경 요청", "반려"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    assert bound_hash(page) == before
    # Further updates neither unlock it nor lose what was typed.
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "바꿨습니다")
    expect(page.get_by_text("바꿨습니다")).to_be_visible()
    expect(page.get_by_role("button", name="승인", exact=True)).to_be_disabled()
    page.get_by_role("link", name="변경 내용 보기").click()
    expect(page.locator(".changes del", has_text="INFO").first).to_be_visible()
    expect(page.locator(".changes ins", has_text="WARN").first).to_be_visible()
    expect(page.get_by_role("button", name="승인", exact=True)).to_be_enabled()
    assert bound_hash(page) != before
    expect(page.get_by_label("의견", exact=True)).to_have_value("확인했습니다.")
    # The difference stays to be read.
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "하나 더")
    expect(page.get_by_text("하나 더")).to_be_visible()
    expect(page.locator(".changes ins", has_text="WARN").first).to_be_visible()
    page.get_by_role("button", name="승인", exact=True).click()
    expect(page.locator(".badges .status")).to_have_text("승인됨")


@pytest.mark.slow
def test_a_plan_that_went_away_and_came_back_changed_is_locked_too(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    is_live(page)
    decisions.ask_changes(
        web_env.board,
        LEAD.model_copy(update={"id": "lead2"}),
        scenario.claim.task_id,
        plan_hash=scenario.plan_hash,
        reason="WARN으로 해 주세요",
    )
    expect(page.locator(".decide")).to_have_count(0)
    begun = beats.begin(web_env.board, "db-agent")
    assert begun is not None
    claim = beats.claim_task(web_env.board, begun)
    assert claim is not None
    tasks.file_plan(web_env.board, claim, other_plan())
    expect(page.get_by_role("button", name="승인", exact=True)).to_be_disabled()
    expect(page.locator(".stale")).to_contain_text("WARN으로 해 주세요")
    page.get_by_role("link", name="변경 내용 보기").click()
    expect(page.get_by_role("button", name="승인", exact=True)).to_be_enabled()


@pytest.mark.slow
def test_on_a_telephone_the_decision_stays_in_reach(sign_in: SignIn, web_env: BoardEnv) -> None:
    first, second = IssueScenario(web_env).waiting(), IssueScenario(web_env).waiting()
    page = sign_in("lead", "/issues")
    page.set_viewport_size(PHONE)
    page.goto(page.url + f"/{first.sr_id}")
    for sentence in ("일부만 원복 가능", "다른 사용자는 영향을 받지 않습니다", "내 차례", "기한"):
        expect(page.locator(".decision")).to_contain_text(sentence)
    approve = page.get_by_role("button", name="승인", exact=True)
    for place in ("0", "document.body.scrollHeight"):
        page.evaluate(f"window.scrollTo(0, {place})")
        expect(approve).to_be_in_viewport(ratio=1)
    # Refusing needs a reason: the browser leads to the field instead of sending the form.
    page.get_by_role("button", name="반려", exact=True).click()
    expect(page.get_by_label("의견", exact=True)).to_be_focused()
    approve.click()
    expect(page.locator(".notice.done")).to_contain_text("승인했습니다.")
    page.get_by_role("link", name="다음 결재 보기(1건)").click()
    expect(page.locator(".badges .number")).to_have_text(f"SR-{second.sr_id}")


@pytest.mark.slow
def test_a_refusal_by_the_server_is_shown_at_its_field(
    sign_in: SignIn, web_env: BoardEnv, refusals: list[str]
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    reason = page.get_by_label("의견", exact=True)
    reason.fill("　")  # a blank that the browser takes for a text
    page.get_by_role("button", name="반려", exact=True).click()
    expect(reason).to_be_focused()
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field-error")).to_have_text("사유를 입력해 주세요.")
    assert [re.search(r"\d{3}", text)[0] for text in refusals] == ["422"]  # type: ignore[index]
    refusals.clear()


@pytest.mark.slow
def test_a_directive_says_what_it_does_and_locks_when_that_changes(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    is_live(page)
    page.get_by_text("운영자 지시").click()
    page.locator("summary", has_text="작업을 종료합니다. 서버는 변경되지 않았습니다.").click()
    abort = page.get_by_role("button", name="중단 지시")
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    scenario.start()
    # Now the same button would undo changes on a server.
    expect(abort).to_be_disabled()
    form = page.locator(f"#orders-{scenario.claim.task_id}-abort")
    expect(form.locator("summary")).to_contain_text("시작한 변경을 원복합니다")
    form.get_by_role("link", name="확인했습니다").click()
    expect(abort).to_be_enabled()
    abort.click()
    # Something ends: without the confirmation nothing is sent.
    expect(page.locator(".badges .status")).to_have_text("조치 중")
    form.get_by_text("위 결과를 확인했습니다.").click()
    abort.click()
    expect(page.locator(".orders > summary")).to_contain_text("원복 중")


@pytest.mark.slow
def test_the_kill_switch_says_what_it_ends_and_shows_the_progress(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    page = sign_in("pm", "/control")
    is_live(page)
    scenario.start()
    expect(
        page.get_by_text("실행 중인 작업 1건(서버 1대)의 원격 명령을 즉시 중단합니다.")
    ).to_be_visible()
    expect(page.get_by_text("해제할 수 있는 사람: 윤서준 부장, 최현우 PM")).to_be_visible()
    kill_switch.kill(web_env.board, LEAD, "첫 번째 정지")
    expect(page.locator(".switch-on")).to_contain_text("첫 번째 정지")
    expect(page.get_by_text("1건 중 0건 처리 완료")).to_be_visible()
    page.get_by_label("사유").fill("확인했습니다")
    # Someone else lifts it, and it is activated again for another reason.
    kill_switch.release(web_env.board, LEAD.model_copy(update={"role": "pm"}), "해제")
    kill_switch.kill(web_env.board, LEAD, "두 번째 정지")
    expect(page.locator(".switch-on")).to_contain_text("두 번째 정지")
    lift = page.get_by_role("button", name="전체 정지 해제")
    expect(lift).to_be_disabled()
    page.get_by_role("link", name="확인했습니다").click()
    expect(lift).to_be_enabled()
    expect(page.get_by_label("사유")).to_have_value("확인했습니다")
    lift.click()
    expect(page.locator(".switch-on")).to_have_count(0)


@pytest.mark.slow
def test_a_goal_keeps_ticks_and_locks_when_it_is_planned_again(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    sr_id = planning.create_goal(web_env.board, LEAD, "연말까지 점검", channel="web")

    def plan(*texts: str, question: str = "") -> None:
        begun = beats.begin(web_env.board, "dispatcher")
        assert begun is not None
        claim = planning.claim_goal(web_env.board, begun)
        assert claim is not None
        words = {"kind": "REQUEST", "category": "WAS", "priority": "P3", "due_on": date(2030, 1, 2)}
        parts = [
            GoalPartDraft(n, text, **words, server="MOF-WAS-01", agent_id="was-agent")
            for n, text in enumerate(texts)
        ]
        parts.append(GoalPartDraft(len(parts), "보안", **words, question="대상 서버는?"))
        pieces = tuple({"text": p.text, "sentence": n} for n, p in enumerate(parts))
        found = Breakdown(pieces, tuple(parts), "내장 규칙", date(2030, 1, 2))
        planning.file_plan(web_env.board, claim, found)

    plan("상태 점검", "로그 정리")
    page = sign_in("lead", f"/goals/{sr_id}")
    page.get_by_text("로그 정리").click()
    comments.add_comment(web_env.board, sr_id, Actor.person("eng"), "먼저 봅니다")
    expect(page.get_by_text("먼저 봅니다")).to_be_visible()
    expect(page.get_by_label("로그 정리")).not_to_be_checked()
    goal_decisions.answer(web_env.board, LEAD, sr_id, {2: "MOF-DB-01 보안 점검"})
    plan("상태 점검", "디스크 교체")
    approve = page.get_by_role("button", name=re.compile("승인"))
    expect(approve).to_be_disabled()
    page.get_by_role("link", name="변경 내용 보기").click()
    expect(page.locator(".changes del", has_text="로그")).to_be_visible()
    expect(page.locator(".changes ins", has_text="디스크")).to_be_visible()
    expect(approve).to_be_enabled()


@pytest.mark.slow
def test_updates_keep_the_place_at_which_a_person_reads(sign_in: SignIn, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("eng", f"/issues/{scenario.sr_id}")
    is_live(page)
    field = page.get_by_label("의견 작성")
    field.fill("쓰는 중")
    field.focus()
    top = field.evaluate("e => e.getBoundingClientRect().top")
    for number in range(5):
        comments.add_comment(web_env.board, scenario.sr_id, Actor.person("lead"), f"새 글 {number}")
    expect(page.get_by_role("button", name="새 소식")).to_be_visible()
    assert abs(field.evaluate("e => e.getBoundingClientRect().top") - top) < 2
    expect(field).to_be_focused()


@pytest.mark.slow
def test_finished_and_busy_issues_stay_short(sign_in: SignIn, site: str, web_env: BoardEnv) -> None:
    done = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board, LEAD, done.claim.task_id, approve=True, plan_hash=done.plan_hash
    )
    done.start().diagnose({"waiting": 0}).complete()
    busy = IssueScenario(web_env).receive().parse()
    grant = grants.grant_reads(web_env.board, busy.claim)
    for number in range(50):
        tool = ("database.locks", "database.activity")[number % 2]
        call = ToolCall(tool=tool, args={"service": "budgetdb"})
        intent = commands.record_intent(web_env.board, grant, call, "psql")
        commands.record_result(web_env.board, intent, CommandResult(True, {"waiting": 1}, "x", 5))
    busy.file()
    page = sign_in("lead", f"/issues/{done.sr_id}")
    height = "document.documentElement.scrollHeight"
    assert page.evaluate(height) <= 1800
    expect(page.locator(".outcome")).to_contain_text(re.compile("원인.*조치.*결과", re.DOTALL))
    page.goto(f"{site}/issues/{busy.sr_id}")
    expect(page.locator("#timeline")).to_contain_text("조회 50건")
    assert page.evaluate(height) < 3000
    page.set_viewport_size(PHONE)
    assert page.evaluate(height) < 3000


@pytest.mark.slow
def test_on_a_telephone_the_navigation_opens_from_a_menu(sign_in: SignIn) -> None:
    page = sign_in("lead", "/issues")
    entry = page.get_by_role("link", name="목표", exact=True)
    menu = page.get_by_role("button", name="메뉴")
    expect(entry).to_be_visible()
    expect(menu).to_be_hidden()
    page.set_viewport_size(PHONE)
    expect(entry).to_be_hidden()
    expect(page.get_by_role("link", name="전체 정지")).to_be_in_viewport()
    begins = page.locator("main").evaluate("e => e.getBoundingClientRect().top")
    assert begins < PHONE["height"] / 3
    menu.click()
    entry.click()
    expect(page).to_have_url(re.compile("/goals"))


@pytest.mark.slow
def test_a_directive_that_ended_elsewhere_is_no_longer_offered(
    sign_in: SignIn, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    is_live(page)
    directives.issue_directive(
        web_env.board, ENGINEER, scenario.claim.task_id, DirectiveRequest("abort", "중복")
    )
    expect(page.locator(".badges .status")).to_have_text("중단")
    expect(page.locator(".decide")).to_have_count(0)
