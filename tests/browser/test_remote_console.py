"""The remote console in a real browser: choose, run, watch, repeat, export; a worker reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from openssh_server import OpenSSH
from page_env import page_app, serve_app
from page_jobs import carried_out
from playwright.sync_api import Page, expect
from sqlalchemy import select

from guardia.board.cmdb import servers
from guardia.board.core.actors import Actor
from guardia.board.remote_console.model import RemoteRun
from guardia.heartbeat import remote_runs
from guardia.org.directory import Host, Service

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = os.environ.get("SHOTS")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd", more="ListenAddress 127.0.0.2")
    yield server
    server.stop()


@pytest.fixture
def site(web_env: BoardEnv, tmp_path: Path) -> Iterator[str]:
    with serve_app(page_app(web_env.board, home=tmp_path)) as address:
        yield address


@pytest.fixture
def worker(web_env: BoardEnv, sshd: OpenSSH, tmp_path: Path) -> Iterator[None]:
    """Enrol two servers that answer and one that does not, and carry runs out in a thread."""
    service = Service(
        name="minwon", kind="http", port=8080, health="/health", root=str(tmp_path),
        control=str(tmp_path / "ctl"),
    )  # fmt: skip
    for number, name in enumerate(("MOF-WEB-11", "MOF-WEB-12", "MOF-WEB-13"), 1):
        found: Any = sshd.host()
        changed: dict[str, Any] = {
            "server_id": name,
            "address": f"127.0.0.{number}",
            "institution": "MOF",
            "kind": "WEB",
            "aliases": (),
            "groups": ("portal",),
            "services": (service,),
        }
        host: Host = found.model_copy(update=changed)
        servers.enrol(web_env.board, Actor.operator("test"), host)
    waiting = select(RemoteRun.run_id).where(
        RemoteRun.kind == "read", RemoteRun.state.in_(("RUNNING", "STOPPING"))
    )
    with carried_out(web_env.board, sshd, waiting, remote_runs.carry_out):
        yield


@pytest.mark.usefixtures("worker")
def test_a_person_runs_on_chosen_servers(sign_in: Callable[..., Page], site: str) -> None:
    page = sign_in("lead", "/remote")
    look(page, "empty")
    page.get_by_role("link", name="원격 실행", exact=True).click()
    expect(page.get_by_text("조건에 맞는 서버 6대")).to_be_visible()
    page.get_by_label("태그").select_option("portal")
    expect(page.get_by_text("조건에 맞는 서버 3대")).to_be_visible()
    page.locator("#tool").select_option("host.load")
    page.get_by_label("사유").fill("정기 점검")
    # What was entered outlives the part that arrives for the tool.
    expect(page.get_by_text("[서버]의 부하")).to_be_visible()
    expect(page.get_by_label("사유")).to_have_value("정기 점검")
    look(page, "new")
    page.get_by_role("button", name="조회 실행").click()
    again = page.get_by_role("button", name="실패한 서버만 다시 실행")
    expect(again).to_be_visible()
    expect(page.get_by_role("heading", name="MOF-WEB-11")).to_be_visible()  # its own output
    expect(page.locator("pre.output").first).to_contain_text("cores")
    look(page, "run")
    with page.expect_download() as found:
        page.get_by_role("link", name="CSV 내려받기").click()
    assert "MOF-WEB-13" in found.value.path().read_text("utf-8-sig")
    again.click()
    expect(page.get_by_text("1번의 실패한 서버")).to_be_visible()
    expect(page.locator(".remote-targets tbody tr")).to_have_count(1)
    page.goto(f"{site}/remote/new?group=portal")
    page.locator("#tool").select_option("service.set_log_level")
    page.locator("#arg-service").fill("minwon")
    page.locator("#arg-level").select_option("DEBUG")
    page.locator("#arg-previous").select_option("INFO")
    page.get_by_label("사유").fill("장애 분석")
    page.get_by_role("button", name="변경 내용 확인").click()
    expect(page.get_by_text("변경할 서버 3대를 확인하세요")).to_be_visible()
    look(page, "draft")
    page.get_by_text("서버별 변경 내용과 원복 방법을 확인했습니다").click()
    page.get_by_role("button", name="승인 요청").click()
    expect(page.get_by_text("승인 대기", exact=True)).to_be_visible()
    look(page, "pending")
    page.get_by_role("link", name="SR-1", exact=True).click()
    expect(page.get_by_text("로그 수준 변경").first).to_be_visible()
    page.goto(f"{site}/remote")
    expect(page.locator(".remote-runs tbody tr")).to_have_count(3)
    look(page, "list")


def look(page: Page, name: str) -> None:
    """Check that nothing is wider than a screen; keep pictures if SHOTS names a folder."""
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, name
        for scheme in ("light", "dark") if SHOTS else ():
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.wait_for_timeout(400)  # colours change with a transition
            page.screenshot(path=f"{SHOTS}/remote-{name}-{width}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
