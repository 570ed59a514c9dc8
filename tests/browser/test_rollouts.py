"""Planning and steering a rollout in a real browser, while a worker reads the servers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import ENGINEER, BoardEnv
from deploy_env import archive
from openssh_server import OpenSSH
from page_env import page_app, serve_app
from page_jobs import carried_out
from playwright.sync_api import Page, expect
from sqlalchemy import select

from guardia.board.artifacts import records
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.records import NewArtifact
from guardia.board.cmdb import servers
from guardia.board.core.actors import Actor
from guardia.board.rollouts.model import Rollout
from guardia.heartbeat import rollout_plans
from guardia.org.directory import Host, Service
from guardia.settings import Settings

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = os.environ.get("SHOTS")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    more = "ListenAddress 127.0.0.2\nListenAddress 127.0.0.3"
    server = OpenSSH(tmp_path / "sshd", more=more)
    yield server
    server.stop()


@pytest.fixture
def site(web_env: BoardEnv, tmp_path: Path) -> Iterator[str]:
    """The board with an artefact, on servers that run another version of it."""
    store, text = BlobStore.of(Settings(home=tmp_path)), {"version": "2.0.0", "port": 8081}
    packed = archive({"app.json": json.dumps(text, indent=1).encode(), "notes.txt": b"new\n"})
    new = NewArtifact("minwon", "2.0.0", "minwon.tar.gz")
    with records.prepare(web_env.board, store, ENGINEER, new, len(packed)) as incoming:
        incoming.write(packed)
        incoming.seal()
        records.add(web_env.board, store, ENGINEER, new, incoming)
    with serve_app(page_app(web_env.board, home=tmp_path)) as address:
        yield address


@pytest.fixture
def fleet(web_env: BoardEnv, sshd: OpenSSH, tmp_path: Path) -> None:
    """Enrol three servers with a release each."""
    names = {"MOF-WEB-11": "WEB", "MOF-WAS-11": "WAS", "MOF-WAS-12": "WAS"}
    behind = f"upstream:MOF-WEB-11/minwon:{tmp_path}/MOF-WEB-11/pool.conf:pool:10.0.0.2:8080"
    for number, (name, kind) in enumerate(names.items(), 1):
        root = tmp_path / name
        (root / "releases/1.0.0").mkdir(parents=True)
        (root / "current").symlink_to("releases/1.0.0")
        running = {"version": "1.0.0", "port": 8080, "password": "hunter22"}
        (root / "current/app.json").write_text(json.dumps(running, indent=1))
        service = Service(
            name="minwon", kind="http", port=8080, health="/health", root=str(root),
            control=str(root / "ctl"), layout="releases", drain=behind if number > 1 else None,
        )  # fmt: skip
        found: Any = sshd.host()
        host: Host = found.model_copy(
            update={
                "server_id": name,
                "address": f"127.0.0.{number}",
                "institution": "MOF",
                "kind": kind,
                "aliases": (),
                "services": (service,),
            }
        )
        servers.enrol(web_env.board, Actor.operator("test"), host)


@pytest.fixture
def planner(web_env: BoardEnv, sshd: OpenSSH) -> Iterator[None]:
    """Make the plans as a worker does, in a thread."""
    waiting = select(Rollout.rollout_id).where(Rollout.state == "PLANNING")
    with carried_out(web_env.board, sshd, waiting, rollout_plans.carry_out):
        yield


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.usefixtures("fleet", "planner")
def test_a_person_plans_orders_and_files_a_rollout(
    sign_in: Callable[..., Page], width: int, refusals: list[str]
) -> None:
    page = sign_in("eng", "/rollouts")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_role("link", name="배포 계획 작성").click()
    page.locator("main").get_by_placeholder("서비스").fill("minwon")
    page.get_by_role("button", name="찾기").click()
    for name in ("MOF-WEB-11", "MOF-WAS-11", "MOF-WAS-12"):
        page.get_by_text(name, exact=True).click()
    page.get_by_label("한 번에 변경할 서버 수").fill("2")
    page.get_by_label("관찰 시간").fill("0")
    page.locator("main").get_by_placeholder("서비스").fill("elsewhere")
    page.get_by_role("button", name="찾기").click()
    expect(page.get_by_role("checkbox", name="MOF-WAS-12")).to_be_checked()
    page.get_by_role("button", name="계획 만들기").click()
    expect(page.locator("#seconds-error")).to_be_visible()
    refusals.clear()
    assert page.get_by_label("한 번에 변경할 서버 수").input_value() == "2"
    for name in ("MOF-WEB-11", "MOF-WAS-11", "MOF-WAS-12"):
        expect(page.get_by_role("checkbox", name=name)).to_be_checked()
    shoot(page, f"new-{width}")
    assert_fits(page)
    page.get_by_label("관찰 시간").fill("10")
    page.get_by_role("button", name="계획 만들기").click()
    expect(page.get_by_text("작성 중", exact=True)).to_be_visible()
    expect(page.get_by_text("비교 대상: MOF-WEB-11에서 실행 중인 파일")).to_be_visible()
    page.get_by_text("변경 내용").first.click()
    shown = page.locator("pre").first.inner_text()
    assert '-  "port": 8080' in shown.replace(' "port"', '  "port"')
    assert "hunter22" not in page.content()
    expect(page.get_by_text("MOF-WEB-11 제외: 대기").first).to_be_visible()
    shoot(page, f"draft-{width}")
    assert_fits(page)
    page.get_by_role("button", name="WAS 앞으로").click()
    # Rows of other servers name it too, as the load balancer that they are taken out of.
    its_own = page.locator("td, th").filter(has_text=re.compile(r"^\s*MOF-WEB-11\s*$"))
    row = page.locator("tbody tr").filter(has=its_own)
    expect(row.locator("td, th").first).to_have_text("3")
    page.get_by_role("button", name="승인 요청").click()
    expect(page.get_by_text("승인 대기", exact=True)).to_be_visible()
    page.get_by_role("button", name="취소", exact=True).click()
    page.get_by_role("button", name="실패한 서버만 다시 배포").click()
    expect(page.get_by_text("작성 중", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="배포 2번")).to_be_visible()
    shoot(page, f"again-{width}")


def shoot(page: Page, name: str) -> None:
    """Keep a picture, if SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/rollout-{name}.png", full_page=True)


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
