"""Documents over HTTP: written, uploaded, reviewed and read on pages and through the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER
from document_env import DocumentEnv
from page_env import PAGE, PageClient, page_app

from guardia.board.artifacts.attachments import NewAttachment, add_attachments, digest_of
from guardia.board.knowledge import attached
from guardia.errors import NotFound

TEXT = "# 점검\n\n서버를 **매일** 점검합니다.\n\n| 서버 | 용도 |\n|---|---|\n| a | b |\n"
SignIn = Callable[[str], PageClient]


@pytest.fixture
def app(web_env: Any, tmp_path: Path) -> Any:
    return page_app(web_env.board, home=tmp_path / "home")


@pytest.fixture
def docs(web_env: Any, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(web_env.board, tmp_path / "home" / "artifacts")


@pytest.mark.slow
def test_a_document_is_written_reviewed_and_read(sign_in_as: SignIn, docs: DocumentEnv) -> None:
    engineer, lead, customer = (sign_in_as(one) for one in ("eng", "lead", "cus"))
    fields = {"title": "점검 지침", "text": TEXT, "audience": "all", "then": "submit"}
    made = engineer.submit_form("/documents", at="/documents/new", **fields)
    assert made.status_code == 303, made.text
    number = int(made.headers["location"].rpartition("/")[2])
    assert "읽는 중" in engineer.get_page(f"/documents/{number}").text
    docs.read()
    assert customer.get_page(f"/documents/{number}").status_code == 404
    queue = lead.get_page("/documents/review").text
    assert f'value="{number}-1"' in queue
    assert f'value="{number}-1"' not in engineer.get_page("/documents/review").text
    done = lead.submit_form("/documents/review", at="/documents/review", chosen=f"{number}-1")
    assert "1개 판을 게시했습니다" in done.text
    html = customer.get_page(f"/documents/{number}").text
    assert "<strong>매일</strong>" in html and "<td>a</td>" in html and 'id="p1"' in html
    assert "판 이력" not in html
    assert f"/documents/{number}" in customer.get_page("/documents?query=점검").text
    assert f"/documents/{number}" not in customer.get_page("/documents?query=없는").text
    assert sign_in_as("cus2").get_page(f"/documents/{number}").status_code == 200


def test_an_error_keeps_what_was_entered_and_is_at_its_field(sign_in_as: SignIn) -> None:
    engineer = sign_in_as("eng")
    fields = {"title": "점검 지침", "text": TEXT, "field": "was", "roles": "engineer"}
    page = engineer.submit_form("/documents", at="/documents/new", **fields)
    assert page.status_code == 422
    assert 'id="field-error"' in page.text and "영문 대문자" in page.text
    assert 'value="점검 지침"' in page.text and "서버를 **매일**" in page.text


@pytest.mark.slow
def test_several_files_are_uploaded_and_a_bad_one_stops_none(
    sign_in_as: SignIn, docs: DocumentEnv
) -> None:
    engineer = sign_in_as("eng")
    files = [
        ("files", ("점검_지침.md", TEXT.encode(), "text/markdown")),
        ("files", ("빈 파일.txt", b"", "text/plain")),
        ("files", ("목록.csv", "서버,용도\na,b\n".encode("cp949"), "text/csv")),
    ]
    data = {"csrf": engineer.token("/documents/upload"), "roles": ["engineer"], "audience": "roles"}
    page = engineer.post("/documents/upload", data=data, files=files, headers=PAGE)
    assert "2개를 등록했습니다" in page.text and "1개를 등록하지 못했습니다" in page.text
    assert "빈 파일.txt" in page.text
    numbers = re.findall(r'<li><a href="/documents/(\d+)">', page.text)
    docs.read()
    assert "<td>a</td>" in engineer.get_page(f"/documents/{numbers[1]}").text
    assert "점검 지침" in engineer.get_page("/documents").text
    original = engineer.get(f"/documents/{numbers[0]}/versions/1/file")
    assert original.content == TEXT.encode()
    assert original.headers["content-type"] == "application/octet-stream"
    assert "attachment" in original.headers["content-disposition"]


def test_an_edit_is_compared_and_a_late_one_is_refused(
    sign_in_as: SignIn, docs: DocumentEnv
) -> None:
    engineer = sign_in_as("eng")
    number = docs.published(TEXT)
    form = f"/documents/{number}/edit"
    assert "서버를 **매일**" in engineer.get_page(form).text
    new = TEXT.replace("매일", "매주")
    assert engineer.submit_form(form, at=form, text=new, based_on="1").status_code == 303
    late = engineer.submit_form(form, at=form, text="늦은 글", based_on="1")
    assert late.status_code == 409 and "늦은 글" in late.text
    docs.read()
    page = engineer.get_page(f"/documents/{number}/difference?old=1&new=2").text
    assert "<del>" in page and "매주" in page


def test_a_preview_is_safe_html(sign_in_as: SignIn) -> None:
    engineer = sign_in_as("eng")
    data = {"csrf": engineer.token("/documents/new"), "text": "# 가\n<script>alert(1)</script>"}
    html = engineer.post("/documents/preview", data=data).text
    assert "<h4>가</h4>" in html and "<script" not in html


def test_a_hostile_text_is_shown_as_text(sign_in_as: SignIn, docs: DocumentEnv) -> None:
    hostile = (
        '<img src=x onerror=alert(1)> <form action="/kill"> [x](javascript:alert(1)) {{ 1+1 }}'
    )
    number = docs.published(hostile, name="a.txt")
    html = sign_in_as("eng").get_page(f"/documents/{number}").text
    body = html[html.index('id="p1"') : html.index('class="anchor"')]
    assert "<img" not in body and "<form" not in body and 'href="javascript' not in body
    assert "{{ 1+1 }}" in body


@pytest.mark.slow
def test_a_file_of_an_issue_becomes_a_document_of_its_institution(
    sign_in_as: SignIn, docs: DocumentEnv, web_env: Any
) -> None:
    sr_id = web_env.create_issue(institution="MOF")
    content = TEXT.encode()
    new = NewAttachment("점검 결과.md", "text/markdown", len(content), digest_of(content), content)
    add_attachments(web_env.board, docs.store, sr_id, "mail:1", [new])
    engineer = sign_in_as("eng")
    path = f"/documents/attachments/{sr_id}/1"
    assert path in engineer.get_page(f"/issues/{sr_id}").text
    made = engineer.submit_form(path, at="/notifications")
    assert made.status_code == 303, made.text
    docs.read()
    html = engineer.get_page(made.headers["location"]).text
    assert "점검 결과" in html and "MOF" in html and "<td>a</td>" in html
    customer = sign_in_as("cus2")
    assert path not in customer.get_page(f"/issues/{sr_id}").text
    assert customer.submit_form(path, at="/notifications").status_code == 403
    with pytest.raises(NotFound):
        attached.take_over(web_env.board, docs.store, ENGINEER, sr_id, 99)


@pytest.mark.slow
def test_the_api_does_what_the_pages_do(sign_in_as: SignIn, docs: DocumentEnv) -> None:
    engineer, lead, outsider = (sign_in_as(one) for one in ("eng", "lead", "cus2"))
    base = "/api/v3/documents"

    def headers(client: PageClient) -> dict[str, str]:
        return {"x-csrf-token": client.token("/notifications"), "accept": "application/json"}

    params = {"file": "점검.md", "audience": "institution", "institution": "MOF", "submit": "true"}
    made = engineer.post(base, params=params, content=TEXT.encode(), headers=headers(engineer))
    assert made.status_code == 201, made.text
    number = made.json()["number"]
    docs.read()
    own = engineer.post(f"{base}/{number}/versions/1/publish", json={}, headers=headers(engineer))
    assert own.status_code == 403
    done = lead.post(f"{base}/{number}/versions/1/publish", json={}, headers=headers(lead))
    assert done.status_code == 204, done.text
    found = engineer.get(f"{base}/{number}").json()
    assert (found["state"], found["published"], found["format"]) == ("PUBLISHED", 1, "markdown")
    assert found["passages"][0]["heading_path"] == ["점검"]
    assert outsider.get(f"{base}/{number}").status_code == 404
    assert outsider.get(base).json() == []
    assert outsider.get(f"{base}/{number}/versions/1/file").status_code == 404
    broken = engineer.post(base, params={"file": "a.md"}, content=b"", headers=headers(engineer))
    assert broken.status_code == 422
    assert lead.delete(f"{base}/{number}", headers=headers(lead)).status_code == 204
    assert engineer.get(f"{base}/{number}").status_code == 404


@pytest.mark.slow
def test_a_rule_of_a_document_is_entered_by_a_person_only(
    sign_in_as: SignIn, docs: DocumentEnv
) -> None:
    docs.published("업무 시간에는 MOF-DB-01 재기동을 금지합니다.")
    path = re.search(
        r'href="(/documents/stated/[0-9]+)"', sign_in_as("lead").get_page("/documents/1").text
    )
    assert path is not None
    form = sign_in_as("lead").get_page(path[1]).text
    assert "service.restart" in form and 'value="MOF-DB-01"' in form
    assert path[1] not in sign_in_as("eng").get_page("/documents/1").text
    assert "재기동을 금지" not in sign_in_as("lead").get_page("/rules").text
