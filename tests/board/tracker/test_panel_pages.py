"""The issue's page is changed in place: side panel, comments, files, family; refusals at fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv
from fastapi import FastAPI
from page_env import IssueScenario, PageClient

from guardia.board.approvals import decisions
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Issue, Task
from guardia.board.issues import comments, family, labels
from guardia.board.tracker import issue_page

Browse = Callable[[str], PageClient]
FRAGMENT = {"hx-request": "true", "accept": "text/html"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


def put_field(browser: PageClient, sr_id: int, name: str, **fields: Any) -> Any:
    """Send the form of a field as an open page does."""
    data = {"csrf": browser.token(), **fields}
    return browser.post(f"/issues/{sr_id}/edit/{name}", data=data, headers=FRAGMENT)


def stored(env: BoardEnv, sr_id: int) -> Issue:
    """Return an issue as it is stored."""
    with env.board.database.reading() as session:
        return session.get_one(Issue, sr_id)


@pytest.mark.slow
def test_each_field_has_a_form_and_its_change_an_entry(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = IssueScenario(web_env).receive().parse().sr_id
    label = labels.create(web_env.board, LEAD, "긴급점검", "b60205")
    parent = web_env.create_issue(institution="MOF")
    browser = sign_in_as("eng")
    wanted = {
        "assignee": {"value": "lead"},
        "priority": {"value": "P1"},
        "labels": {"value": [str(label.label_id)]},
        "due": {"value": "2026-12-24"},
        "server": {"value": "MOF-WAS-01"},
        "parent": {"value": f"#{parent}"},
        "text": {"title": "고친 제목", "body": "고친 내용"},
    }
    for name, fields in wanted.items():
        shown = browser.get(f"/issues/{sr_id}/edit/{name}", headers=FRAGMENT)
        assert shown.status_code == 200 and "<html" not in shown.text, name
        assert "<html" in browser.get_page(f"/issues/{sr_id}/edit/{name}").text
        answer = put_field(browser, sr_id, name, **fields)
        assert (answer.status_code, answer.text) == (200, ""), answer.text
        assert answer.headers["hx-trigger"] == "issue-changed"
    row = stored(web_env, sr_id)
    assert (row.assignee_id, row.priority, str(row.due_on), row.parent_id, row.title) == (
        *("lead", "P1", "2026-12-24", parent),
        "고친 제목",
    )
    page = browser.get_page(f"/issues/{sr_id}").text
    for shown_text in ("긴급점검", 'fill="#b60205"', "MOF-WAS-01", "2026-12-24", "고친 제목"):
        assert shown_text in page
    for entry in ("라벨 변경", "처리 기한 변경", "대상 서버 변경", "상위 이슈 변경", "수정"):
        assert entry in page
    assert "<del>" in browser.get_page(f"/issues/{sr_id}/history").text


@pytest.mark.parametrize(
    ("name", "fields", "kept"),
    [
        ("text", {"title": " ", "body": "쓴 글"}, "쓴 글"),
        ("text", {"title": "내 제목", "body": "쓴 글", "seen": "0" * 16}, "내 제목"),
        ("due", {"value": "언젠가"}, "언젠가"),
        ("parent", {"value": "SR-x"}, "SR-x"),
        ("assignee", {"value": "cus", "reason": "그 사유"}, "그 사유"),
        ("server", {"value": "MOE-DB-01", "reason": "그 사유"}, "그 사유"),
    ],
)
@pytest.mark.slow
def test_a_refused_field_keeps_what_was_entered(
    sign_in_as: Browse, web_env: BoardEnv, name: str, fields: dict[str, str], kept: str
) -> None:
    sr_id = IssueScenario(web_env).receive().parse().sr_id
    answer = put_field(sign_in_as("eng"), sr_id, name, **fields)
    assert answer.status_code in (409, 422), answer.text
    assert answer.headers["x-refused-form"] == "true"
    assert 'role="alert"' in answer.text and kept in answer.text


@pytest.mark.slow
def test_outsiders_find_no_issue_and_customers_no_panel(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    sr_id = IssueScenario(web_env).receive(requester_id="cus", institution="MOF").parse().sr_id
    outsider, customer = sign_in_as("cus2"), sign_in_as("cus")
    for name in ("text", "assignee", "labels", "due"):
        assert put_field(outsider, sr_id, name, value="1").status_code == 404
        assert outsider.get_page(f"/issues/{sr_id}/edit/{name}").status_code == 404
    for path in ("history", "suggest?sign=@", "comments/1/edit", "comments/1/history"):
        assert outsider.get_page(f"/issues/{sr_id}/{path}").status_code == 404
    for path in ("follow", "lock", "close", "children", "children/1/move", "comments/1"):
        fields = {"act": "edit", "how": "completed", "direction": "up", "state": "MUTED"}
        fields["act"] = "lock" if path == "lock" else "edit"
        assert outsider.submit_form(f"/issues/{sr_id}/{path}", **fields).status_code == 404, path
    assert put_field(customer, sr_id, "due", value="2026-12-24").status_code == 403
    assert put_field(customer, sr_id, "text", title="가", body="나").status_code == 200
    assert customer.get_page("/labels").status_code == 403


@pytest.mark.slow
def test_a_server_is_changed_only_before_work_began(web_env: BoardEnv, sign_in_as: Browse) -> None:
    scenario = IssueScenario(web_env).waiting()
    sr_id, browser = scenario.sr_id, sign_in_as("eng")
    assert put_field(browser, sr_id, "server", value="MOF-WAS-01").status_code == 200
    with web_env.board.database.reading() as session:
        task = session.get_one(Task, scenario.claim.task_id)
        assert (task.target_server, task.status, task.plan) == ("MOF-WAS-01", State.PARSED, None)
    other = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board, LEAD, other.claim.task_id, approve=True, plan_hash=other.plan_hash
    )
    assert put_field(browser, other.sr_id, "server", value="MOF-WAS-01").status_code == 409


@pytest.mark.slow
def test_a_comment_is_edited_deleted_and_linked(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id = web_env.create_issue(institution="MOF")
    browser = sign_in_as("eng")
    answer = browser.submit_form(f"/issues/{sr_id}/comments", body="처음 쓴 글")
    assert answer.headers["location"] == f"/issues/{sr_id}?done=comment#comment-1"
    path = f"/issues/{sr_id}/comments/1"
    assert "처음 쓴 글" in browser.get(f"{path}/edit", headers=FRAGMENT).text
    edited = browser.submit_form(path, act="edit", body="고쳐 쓴 글")
    assert edited.headers["location"] == f"/issues/{sr_id}?at=comment-1#comment-1"
    stale = browser.submit_form(path, act="edit", body="늦은 글", seen="0" * 16)
    assert stale.status_code == 409 and "늦은 글" in stale.text
    assert "처음" in browser.get_page(f"{path}/history").text
    # Another person has no way to edit it.
    page = sign_in_as("lead").get_page(f"/issues/{sr_id}").text
    assert "고쳐 쓴 글" in page and f"{path}/edit" not in page and f"{path}/history" in page
    assert sign_in_as("lead").submit_form(path, act="delete").status_code == 403
    browser.submit_form(path, act="delete")
    page = browser.get_page(f"/issues/{sr_id}").text
    assert "작성자가 삭제한 의견" in page and "쓴 글" not in page
    assert browser.get_page(f"{path}/history").status_code == 404


def test_a_preview_is_drawn_as_the_comment_will_be(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("cus")
    text = "- [x] **됨** #1\n\n<script>alert(1)</script>"
    shown = browser.submit_form("/preview", body=text).text
    sr_id = web_env.create_issue(institution="MOF")
    comments.add_comment(web_env.board, sr_id, Actor.of(CUSTOMER), text)
    assert shown.strip() in browser.get_page(f"/issues/{sr_id}").text
    assert "<script>" not in shown and '<a href="/issues/1"' in shown and "checkbox" in shown


@pytest.mark.slow
def test_names_and_numbers_are_completed_by_what_one_may_see(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    mine = web_env.create_issue(text="예산 DB 점검", institution="MOF")
    web_env.create_issue(text="예산 DB 이관", institution="MOE")

    def ask(account: str, sign: str, words: str) -> list[str]:
        query = {"sign": sign, "q": words}
        found = sign_in_as(account).get(f"/issues/{mine}/suggest", params=query)
        return [one["text"] for one in found.json()]

    assert ask("eng", "@", "김철") == ["@김철수"]
    assert ask("eng", "@", "db-agent") == ["@db-agent"]
    assert ask("cus", "@", "db-agent") == []
    assert ask("cus", "@", "서지호") == []  # a customer of another institution
    assert ask("eng", "#", "예산") == ["#2", "#1"]
    assert ask("cus", "#", "예산") == ["#1"]
    assert ask("cus", "#", "2") == []
    assert ask("eng", "#", "%") == []


def attach(browser: PageClient, sr_id: int, name: str, content: bytes) -> Any:
    """Attach a file as the page's script does."""
    headers = {"x-csrf-token": browser.token(), "accept": "application/json"}
    query = {"file": name}
    return browser.put(f"/attachments/{sr_id}", params=query, content=content, headers=headers)


@pytest.mark.slow
def test_pictures_are_shown_and_everything_else_is_downloaded(
    app: FastAPI, sign_in_as: Browse, web_env: BoardEnv, tmp_path: Path
) -> None:
    settings = {"artifacts": tmp_path, "attachment_megabytes": 1}
    app.state.settings = app.state.settings.model_copy(update=settings)
    sr_id = web_env.create_issue(institution="MOF")
    browser = sign_in_as("cus")
    shown = attach(browser, sr_id, "화면 [1].png", PNG)
    assert shown.status_code == 201
    assert shown.json()["markdown"] == f"![화면 (1).png](/issues/{sr_id}/attachments/1/image)"
    image = browser.get_page(f"/issues/{sr_id}/attachments/1/image")
    assert (image.headers["content-type"], image.content) == ("image/png", PNG)
    assert image.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert image.headers["x-content-type-options"] == "nosniff"
    # Neither its name nor its type makes anything else a picture.
    attach(browser, sr_id, "그림.png", b"<svg onload=alert(1)>")
    assert browser.get_page(f"/issues/{sr_id}/attachments/2/image").status_code == 404
    named = attach(browser, sr_id, "..\\보고서.pdf.EXE", b"@echo off").json()["markdown"]
    assert named == f"[보고서.pdf.EXE.txt](/issues/{sr_id}/attachments/3)"
    refused = [
        attach(browser, sr_id, "a.txt", b""),
        attach(browser, sr_id, "a.txt", b"MZ\x90"),
        attach(browser, sr_id, "a.bin", b"\x00 900101-1234567 \x00"),
        attach(browser, sr_id, "a.txt", bytes(1 << 20) + b"1"),
    ]
    assert [one.status_code for one in refused] == [422] * 4
    outsider = sign_in_as("cus2")
    assert attach(outsider, sr_id, "a.txt", b"a").status_code == 404
    assert outsider.get_page(f"/issues/{sr_id}/attachments/1/image").status_code == 404
    assert "파일 첨부: 화면 [1].png" in sign_in_as("lead").get_page(f"/issues/{sr_id}").text


@pytest.mark.slow
def test_an_issue_is_closed_with_a_reason(sign_in_as: Browse, web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive().parse()
    browser, path = sign_in_as("eng"), f"/issues/{scenario.sr_id}/close"
    assert browser.submit_form(path, how="not_planned").status_code == 422
    assert browser.submit_form(path, how="completed", reason="됨").status_code == 409
    directives.issue_directive(
        web_env.board, ENGINEER, scenario.claim.task_id, DirectiveRequest("manual")
    )
    assert browser.submit_form(path, how="completed", reason="직접 조치함").status_code == 303
    assert stored(web_env, scenario.sr_id).status == State.COMPLETED
    other = IssueScenario(web_env).receive().parse().sr_id
    browser.submit_form(f"/issues/{other}/close", how="not_planned", reason="중복")
    assert stored(web_env, other).status == State.ABORTED


@pytest.mark.slow
def test_sub_issues_show_their_progress_and_order(sign_in_as: Browse, web_env: BoardEnv) -> None:
    top = web_env.create_issue(institution="MOF")
    browser = sign_in_as("eng")
    for title in ("첫째", "둘째"):
        browser.submit_form(f"/issues/{top}/children", title=title)
    existing = web_env.create_issue(text="셋째", institution="MOF")
    browser.submit_form(f"/issues/{top}/children", child=f"#{existing}")
    browser.submit_form(f"/issues/{top}/close", how="not_planned", reason="-")
    browser.submit_form(f"/issues/{top + 1}/close", how="not_planned", reason="중복")
    browser.submit_form(f"/issues/{top}/children/{existing}/move", direction="up")
    kin = issue_page.get_issue(web_env.board, ENGINEER, top).children
    assert [row.title for row in kin.rows] == ["첫째", "셋째", "둘째"]
    assert (kin.ended, kin.total) == (1, 3)
    assert "3건 중 1건 종료" in browser.get_page(f"/issues/{top}").text
    assert browser.submit_form(f"/issues/{top}/children", title=" ").status_code == 422


def test_references_and_labels_are_shown_to_those_who_may_see_them(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    named = web_env.create_issue(institution="MOF")
    comments.add_comment(
        web_env.board,
        web_env.create_issue(text="다른 기관 이슈", institution="MOE"),
        Actor.of(ENGINEER),
        f"#{named} 때문",
    )
    web_env.create_issue(text=f"우리 기관 이슈 #{named}", institution="MOF")
    label = labels.create(web_env.board, LEAD, "내부분류", "1d76db")
    labels.set_labels(web_env.board, ENGINEER, named, [label.label_id])
    staff, customer = (sign_in_as(a).get_page(f"/issues/{named}").text for a in ("eng", "cus"))
    assert "다른 기관 이슈" in staff and "우리 기관 이슈" in staff and "내부분류" in staff
    assert "다른 기관 이슈" not in customer and "우리 기관 이슈" in customer
    assert "내부분류" not in customer


@pytest.mark.slow
def test_customers_read_plain_states_and_the_resolution(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    scenario = IssueScenario(web_env).waiting(requester_id="cus")
    browser = sign_in_as("cus")
    page = browser.get_page(f"/issues/{scenario.sr_id}").text
    assert "조치 승인을 기다리고 있습니다" in page and "4711" not in page
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    scenario.start().complete()
    family.set_due(web_env.board, ENGINEER, scenario.sr_id, None)
    page = browser.get_page(f"/issues/{scenario.sr_id}").text
    for words in (
        "처리가 완료되었습니다",
        "원인",
        "로그 수준을 DEBUG에서 INFO로",
        "조치를 완료하고",
    ):
        assert words in page
    assert "psql" not in page and "pg_locks" not in page


@pytest.mark.slow
def test_labels_are_managed_on_their_page(sign_in_as: Browse) -> None:
    lead, engineer = sign_in_as("lead"), sign_in_as("eng")
    assert "새 라벨" in lead.get_page("/labels").text
    assert "새 라벨" not in engineer.get_page("/labels").text
    assert engineer.submit_form("/labels", name="가", color="b60205").status_code == 403
    assert lead.submit_form("/labels", name="가,나", color="b60205").status_code == 422
    assert lead.submit_form("/labels", name="가나", color="b60205").status_code == 303
    lead.submit_form("/labels", label="1", name="다라", color="0e8a16")
    assert "다라" in engineer.get_page("/labels").text
    lead.submit_form("/labels", label="1", act="remove")
    assert "다라" not in engineer.get_page("/labels").text
