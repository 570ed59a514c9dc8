"""A new request with files, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from board_env import BoardEnv
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]
PICTURE = bytes.fromhex("89504e470d0a1a0a") + bytes(200)


@pytest.fixture
def refusals() -> list[str]:
    """Refusals are shown as errors in the console: these tests provoke some."""

    class Ignored(list[str]):
        def append(self, text: str) -> None:
            if "422" not in text:
                super().append(text)

    return Ignored()


def test_files_go_with_a_request(sign_in: SignIn, tmp_path: Path) -> None:
    (tmp_path / "오류 화면.png").write_bytes(PICTURE)
    (tmp_path / "catalina.out").write_text("SEVERE: 연결 실패\n" * 50, "utf-8")
    page = sign_in("cus", "/issues/new")
    page.get_by_label("제목").fill("결재 화면이 열리지 않습니다")
    page.get_by_label("첨부 파일(선택)").set_input_files(sorted(tmp_path.iterdir()))
    page.get_by_role("button", name="접수").dblclick()
    expect(page.get_by_role("heading", level=1)).to_have_text("결재 화면이 열리지 않습니다")
    expect(page.get_by_text("오류 화면.png")).to_be_visible()
    expect(page.get_by_text("catalina.out")).to_be_visible()


def test_a_refused_file_is_named_and_the_request_is_kept(
    sign_in: SignIn, tmp_path: Path, web_env: BoardEnv, refusals: list[str]
) -> None:
    (tmp_path / "setup.exe").write_bytes(b"MZ" + bytes(500))
    (tmp_path / "log.txt").write_text("ok", "utf-8")
    page = sign_in("cus", "/issues/new")
    page.get_by_label("첨부 파일(선택)").set_input_files(sorted(tmp_path.iterdir()))
    page.get_by_role("button", name="접수").click()
    expect(page.locator("[data-said]")).to_contain_text("제목 또는 내용을 입력해 주세요")
    page.get_by_label("제목").fill("설치 파일 확인 요청")
    page.get_by_role("button", name="접수").click()
    expect(page.locator("[data-said]")).to_contain_text("보내지 못한 파일이 있습니다")
    expect(page.locator("[data-said]")).to_contain_text("setup.exe")
    page.get_by_role("link", name="접수한 요청 보기").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("설치 파일 확인 요청")
    expect(page.get_by_text("log.txt")).to_be_visible()
