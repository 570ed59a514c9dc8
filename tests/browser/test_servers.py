"""Enrolling a server in a real browser: a worker reads the server while the page waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from openssh_server import OpenSSH
from page_jobs import carried_out
from playwright.sync_api import Page, expect
from sqlalchemy import select
from waiting import wait_until

from guardia.board.cmdb import view
from guardia.board.cmdb.model import ServerReading
from guardia.heartbeat import server_readings
from guardia.org import host_key

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def reader(web_env: BoardEnv, sshd: OpenSSH) -> Iterator[None]:
    """Carry out the readings as a worker does, in a thread."""
    waiting = select(ServerReading.reading_id).where(ServerReading.state == "waiting")
    with carried_out(web_env.board, sshd, waiting, server_readings.carry_out):
        yield


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.usefixtures("reader")
def test_a_person_enrols_a_server(
    web_env: BoardEnv, sshd: OpenSSH, sign_in: Callable[..., Page], width: int
) -> None:
    host: Any = sshd.host()
    page = sign_in("eng", "/servers/new")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_label("서버 ID").fill("MOF-WEB-07")
    page.get_by_label("주소").fill(host.address)
    page.get_by_label("포트").fill(str(host.port))
    page.get_by_label("접속 계정").fill(host.account)
    page.get_by_label("자격 증명").fill("user")
    page.get_by_role("button", name="접속하여").click()
    fingerprint = host_key.fingerprint(host.host_key)
    expect(page.get_by_text(fingerprint)).to_be_visible()
    page.get_by_role("button", name="지문이 같습니다").click()
    expect(page.get_by_role("heading", name="제안된 서비스")).to_be_visible()
    assert_fits(page)
    page.get_by_role("button", name="서버 등록").click()
    expect(page.get_by_role("heading", name="MOF-WEB-07")).to_be_visible()
    page.get_by_role("button", name="도구 점검").click()
    expect(page.get_by_role("heading", name="도구 점검 결과")).to_be_visible()
    assert_fits(page)
    assert wait_until(lambda: view.server(web_env.board, "MOF-WEB-07").host_key == host.host_key)
    page.goto(page.url.rpartition("/")[0])
    expect(page.get_by_role("link", name="MOF-WEB-07")).to_be_visible()
    assert_fits(page)


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
