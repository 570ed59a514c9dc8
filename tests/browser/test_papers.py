"""Papers in a real browser: from the issue to the printed sheet, and a template that is edited."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pdfplumber
import pytest
from board_env import CUSTOMER, BoardEnv
from page_env import IssueScenario, realistic_plan
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.browser]
SHOTS = os.environ.get("SCREENSHOTS", "")
_A4 = (595, 842)
"""Points."""


def look(page: Page, name: str) -> None:
    """Check that a page fits on a telephone; with `SCREENSHOTS`, keep pictures of both sizes."""
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        # The browser needs a moment for a new layout after the size of its window changed.
        page.wait_for_function("most => document.documentElement.scrollWidth <= most", arg=width)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png", full_page=True)


def printed(page: Page, name: str) -> list[str]:
    """Print a page as its reader would and return the text of each sheet, which is A4."""
    page.wait_for_load_state()  # a new window: its style sheet says how large a sheet is
    content = page.pdf(prefer_css_page_size=True)
    if SHOTS:
        (Path(SHOTS) / f"{name}.pdf").write_bytes(content)
    with pdfplumber.open(io.BytesIO(content)) as pdf:
        assert {(round(one.width), round(one.height)) for one in pdf.pages} == {_A4}
        return [one.extract_text() or "" for one in pdf.pages]


def test_a_plan_is_printed_before_its_approval(
    web_env: BoardEnv, sign_in: Callable[..., Page]
) -> None:
    many = realistic_plan()
    plan = many.model_copy(update={"actions": many.actions * 12})
    scenario = IssueScenario(web_env, plan=plan)
    scenario.waiting(requester_id=CUSTOMER.id, institution="MOF")
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    page.locator("aside").get_by_role("link", name="문서", exact=True).click()
    look(page, "issue-papers")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="작업계획서 인쇄(PDF)").click()
    sheet = opened.value
    expect(sheet.get_by_role("button", name="인쇄 또는 PDF로 저장")).to_be_visible()
    look(sheet, "work-plan")
    texts = printed(sheet, "work-plan")
    assert len(texts) >= 3 and texts[0].startswith("작업계획서")
    assert "인쇄 또는 PDF로 저장" not in "".join(texts)
    assert texts[-1].rstrip().endswith(f"{len(texts)} / {len(texts)}")
    whole = "\n".join(texts)
    assert whole.count("printf INFO") == 12 and "결재 현황" in whole
    # The heading of a long table is repeated on its next sheet.
    assert sum("순번" in text and "명령" in text for text in texts) >= 2


def test_the_monthly_report_and_an_edited_template(
    web_env: BoardEnv, sign_in: Callable[..., Page], refusals: list[str]
) -> None:
    IssueScenario(web_env).waiting(requester_id=CUSTOMER.id, institution="MOF")
    page = sign_in("admin", "/reports")
    page.get_by_label("기관").select_option("기획재정부")
    page.get_by_role("button", name="조회").click()
    look(page, "reports")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="월간 운영보고서 인쇄(PDF)").click()
    texts = printed(opened.value, "month")
    assert (
        "월간 운영보고서" in texts[0] and "기획재정부" in texts[0] and "미결 요청" in "".join(texts)
    )
    with page.expect_popup() as opened:
        page.get_by_role("link", name="MOF-DB-01 정기점검표 인쇄(PDF)").click()
    assert "디스크 사용률" in "".join(printed(opened.value, "inspection"))
    page.get_by_role("link", name="문서 서식").click()
    look(page, "templates")
    page.get_by_role("link", name="월간 운영보고서 서식 수정").click()
    field = page.get_by_label("서식(YAML)")
    text = field.input_value()
    field.fill(text.replace("of: kinds", "of: nothing"))
    page.get_by_role("button", name="검사·미리보기").click()
    expect(page.locator("#text-error")).to_contain_text("nothing")
    expect(field).to_have_value(text.replace("of: kinds", "of: nothing"))
    look(page, "template-fault")
    assert len(refusals) == 1 and "422" in refusals[0]
    refusals.clear()
    field.fill(text.replace("title: 월간 운영보고서", "title: 월간 업무보고"))
    page.get_by_role("button", name="검사·미리보기").click()
    expect(page.get_by_role("heading", name="월간 업무보고")).to_be_visible()
    look(page, "template-preview")
    page.get_by_role("button", name="적용", exact=True).click()
    expect(page.get_by_text("이 기관의 서식을 사용하고 있습니다.")).to_be_visible()
    look(page, "template-applied")


def test_the_help_of_a_role(sign_in: Callable[..., Page]) -> None:
    page = sign_in("lead", "/issues")
    page.get_by_role("contentinfo").get_by_role("link", name="도움말").click()
    expect(page.get_by_role("heading", name="팀장", level=1)).to_be_visible()
    look(page, "help")
    page.get_by_role("link", name="처음 사용하는 분께").click()
    expect(page.get_by_role("heading", name="요청이 처리되는 과정")).to_be_visible()
    look(page, "help-common")
