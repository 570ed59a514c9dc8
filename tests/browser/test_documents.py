"""Documents in a real browser: uploaded, written with preview, reviewed, read at their anchors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board_env import BoardEnv
from document_env import DocumentEnv
from page_env import page_app, serve_app
from playwright.sync_api import Page, expect
from search_env import CERTIFICATE, searching

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TEXT = """# WAS 장애 대응 지침

로그 볼륨이 가득 차면 아래 순서로 조치합니다.

## 점검 순서

1. 디스크 사용률을 확인합니다.
2. 가장 큰 로그 파일을 확인합니다.

## 서버 목록

| 서버 | 용도 | 담당 |
|---|---|---|
| MOF-WAS-01 | 예산 시스템 업무 처리 | 김철수 대리 |
| MOF-DB-01 | 예산 데이터베이스 | 정다은 팀장 |

## 명령

```
df -h /var/log
```
"""


@pytest.fixture
def docs(web_env: BoardEnv, tmp_path: Path) -> DocumentEnv:
    return DocumentEnv(web_env.board, tmp_path / "artifacts")


@pytest.fixture
def site(web_env: BoardEnv, tmp_path: Path) -> Iterator[str]:
    with serve_app(page_app(web_env.board, home=tmp_path)) as address:
        yield address


@pytest.mark.parametrize("width", [1440, 390])
def test_a_document_from_its_first_word_to_a_reader(
    sign_in: Callable[..., Page], site: str, docs: DocumentEnv, width: int, tmp_path: Path
) -> None:
    page = sign_in("eng", "/documents/new")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_label("제목").fill("WAS 장애 대응 지침")
    page.locator("#text").fill(TEXT)
    expect(page.locator("#preview table")).to_contain_text("예산 시스템")
    shot(page, tmp_path, f"write-{width}")
    page.get_by_role("button", name="저장하고 검토 요청").click()
    page.wait_for_url("**/documents/1")
    page.goto(f"{site}/documents/upload")
    page.locator("#files").set_input_files(
        [
            {"name": "점검표.csv", "mimeType": "text/csv", "buffer": "서버,값\na,1\n".encode()},
            {"name": "빈 문서.txt", "mimeType": "text/plain", "buffer": b""},
        ]
    )
    shot(page, tmp_path, f"upload-{width}")
    page.get_by_role("button", name="저장", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("빈 문서.txt")
    shot(page, tmp_path, f"uploaded-{width}")
    docs.read()
    page.goto(f"{site}/documents")
    expect(page.locator("table")).to_contain_text("점검표")
    shot(page, tmp_path, f"list-{width}")
    page.goto(f"{site}/documents/1")
    expect(page.get_by_role("navigation", name="차례")).to_contain_text("서버 목록")
    shot(page, tmp_path, f"document-{width}")
    page.get_by_role("link", name="서버 목록").click()
    expect(page.locator(":target")).to_contain_text("MOF-WAS-01")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_reviewer_finds_compares_and_publishes(
    sign_in: Callable[..., Page], site: str, docs: DocumentEnv, tmp_path: Path
) -> None:
    number = docs.published(TEXT)
    docs.version(number, TEXT.replace("df -h /var/log", "df -hT /var/log"))
    docs.submit(number, 2)
    page = sign_in("lead2", "/")
    page.get_by_role("link", name="WAS 점검 지침").first.click()
    page.wait_for_url(f"**/documents/{number}?version=2")
    page.get_by_role("link", name="1판과 비교").first.click()
    expect(page.locator("ins")).to_contain_text("df -hT")
    shot(page, tmp_path, "difference")
    page.goto(f"{site}/documents/review")
    shot(page, tmp_path, "review")
    page.locator("label[for^=chosen]").click()
    page.get_by_role("button", name="선택한 판 게시").click()
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("1개 판을 게시했습니다")
    expect(page.get_by_text("검토를 기다리는 문서가 없습니다")).to_be_visible()


def test_a_document_from_its_upload_to_the_citation(
    sign_in: Callable[..., Page],
    site: str,
    docs: DocumentEnv,
    web_env: BoardEnv,
    refusals: list[str],
    tmp_path: Path,
) -> None:
    def by(account: str, path: str) -> Page:
        page.context.clear_cookies()
        return sign_in(account, path)

    page = sign_in("eng", "/documents/upload")
    text = f"# 절차\n\n{CERTIFICATE[1]}\n".encode()
    page.locator("#files").set_input_files(
        [{"name": "인증서 갱신.md", "mimeType": "text/markdown", "buffer": text}]
    )
    page.locator("label[for=audience-institution]").click()
    page.locator("#institution").select_option("MOF")
    page.get_by_role("button", name="저장하고 검토 요청").click()
    expect(page.get_by_text("1개를 등록했습니다")).to_be_visible()
    docs.read()
    page = by("lead", "/documents/review")
    page.get_by_role("link", name="인증서 갱신").first.click()
    page.get_by_role("button", name="게시", exact=True).click()
    expect(page.get_by_role("button", name="게시", exact=True)).to_have_count(0)
    asked = "/search/documents?q=%EC%9D%B8%EC%A6%9D%EC%84%9C"
    with searching(web_env, tmp_path):
        for account in ("eng", "cus"):
            page = by(account, asked)
            page.get_by_role("link", name="인증서 갱신", exact=True).click()
            expect(page.locator(".passage:target")).to_contain_text("새 인증서를 발급받아")
        place = page.url
        page = by("cus2", asked)
        expect(page.get_by_text("맞는 문서를 찾지 못했습니다.").first).to_be_visible()
        for path in (place, f"{site}/search/passages/1", f"{site}/documents/1/versions/1/file"):
            answer = page.goto(path)
            assert answer is not None and answer.status == 404, path
    refusals.clear()  # the three pages that were not found


def shot(page: Page, folder: Path, name: str) -> None:
    """Keep a picture for people, and require that nothing is cut off at the side."""
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
