"""A rollout on real services in a real browser: canary, failure, rollback, the failed again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from board_env import LEAD, LEAD2, OFFICER, PM, BoardEnv
from deploy_env import archive
from full_stack import LIBRARY
from openssh_server import OpenSSH, free_port
from page_env import page_app, serve_app
from playwright.sync_api import Page, expect
from practice_service import PracticeService
from sqlalchemy import select

from guardia.agents import checkpoints
from guardia.agents.team import Team
from guardia.board.approvals import decisions, pending
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.cmdb import servers
from guardia.board.core.actors import Actor
from guardia.board.core.run_model import Wake
from guardia.board.rollouts import progress, view
from guardia.board.rollouts.model import Rollout
from guardia.errors import GuardiaError
from guardia.heartbeat import rollout_plans
from guardia.heartbeat.beat import beat
from guardia.org.directory import Host
from guardia.settings import Settings
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.ssh]

SHOTS = os.environ.get("SHOTS")
NAMES = ("MOF-WAS-21", "MOF-WAS-22", "MOF-WAS-23")
APP = """
import http.server, os, sys
root = sys.argv[1]
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if os.path.exists(root + "/conf/full") else 200)
        self.end_headers()
        self.wfile.write(b"2.0.0")
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Answer).serve_forever()
"""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    more = "ListenAddress 127.0.0.2\nListenAddress 127.0.0.3\nSubsystem sftp internal-sftp"
    server = OpenSSH(tmp_path / "sshd", more=more)
    yield server
    server.stop()


@pytest.fixture
def site(web_env: BoardEnv, tmp_path: Path) -> Iterator[str]:
    with serve_app(page_app(web_env.board, home=tmp_path)) as address:
        yield address


@pytest.fixture
def services(web_env: BoardEnv, sshd: OpenSSH, tmp_path: Path) -> Iterator[list[PracticeService]]:
    """Start and enrol three services."""
    found = []
    for number, name in enumerate(NAMES, 1):
        service = PracticeService(tmp_path / name, free_port())
        service.start()
        found.append(service)
        facts = {"layout": "releases", "address": "127.0.0.1"}
        host: Host = sshd.host(
            service.service().model_copy(update=facts),
            server_id=name, address=f"127.0.0.{number}", institution="MOF",
        )  # fmt: skip
        servers.enrol(web_env.board, Actor.operator("test"), host)
    yield found
    for service in found:
        service.stop()


@pytest.fixture
def worker(web_env: BoardEnv, database: Any, sshd: OpenSSH, tmp_path: Path) -> Iterator[None]:
    """Plan, carry rollouts on and let the agents work, as a worker process does."""
    board, closing = web_env.board, threading.Event()
    checkpoints.setup(database.owner)
    pool, store = checkpoints.open_pool(web_env.dsn), BlobStore.of(Settings(home=tmp_path))

    def due(query: Any) -> list[Any]:
        with board.database.reading() as session:
            return list(session.scalars(query))

    def work() -> None:
        with Connections(sshd, contents=store) as connections:
            gate = Gate(board, connections)
            team = Team(board, gate, LIBRARY, checkpoints.saver(pool))
            while not closing.wait(0.1):
                for number in due(select(Rollout.rollout_id).where(Rollout.state == "PLANNING")):
                    rollout_plans.carry_out(board, gate, number)
                progress.advance_all(board)
                for agent in due(select(Wake.agent_id).distinct()):
                    with suppress(GuardiaError):
                        beat(board, lambda: team, agent)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    closing.set()
    thread.join()
    pool.close()


def running(services: list[PracticeService]) -> list[str]:
    """Return the release that each server runs."""
    return [(one.root / "current").readlink().name for one in services]


def approve(env: BoardEnv, number: int) -> None:
    sr_id = view.get_rollout(env.board, None, number).sr_id
    assert sr_id is not None
    people = {person.role: person for person in (LEAD, OFFICER, PM)}
    while waiting := pending.pending_plans(env.board, sr_id):
        step = waiting[0]
        person = people.get(step.role, LEAD2)
        decisions.decide(
            env.board, person, step.task_id, approve=True, plan_hash=step.plan_hash, reason="시험"
        )


@pytest.mark.usefixtures("worker")
def test_a_rollout_from_the_upload_to_the_second_try(
    web_env: BoardEnv,
    services: list[PracticeService],
    sign_in: Callable[..., Page],
    tmp_path: Path,
    refusals: list[str],
) -> None:
    packed = tmp_path / "budget.tar.gz"
    packed.write_bytes(archive({"app.py": APP.encode()}))
    page = sign_in("eng", "/artifacts")
    upload(page, packed)
    page.goto(page.url.split("/artifacts")[0] + "/rollouts/new")
    for name in NAMES:
        page.get_by_text(name, exact=True).click()
    page.get_by_label("관찰 시간").fill("1")
    page.get_by_text("카나리 후 일시 중지", exact=True).click()
    page.get_by_role("button", name="계획 만들기").click()
    expect(page.get_by_text("작성 중", exact=True)).to_be_visible()
    page.get_by_role("button", name="승인 요청").click()
    expect(page.get_by_text("승인 대기", exact=True)).to_be_visible()
    approve(web_env, 1)
    # The page follows without being loaded again.
    expect(page.get_by_text("카나리 확인 대기")).to_be_visible()
    shoot(page, "canary")
    assert running(services) == ["2.0.0", "3.1.0", "3.1.0"]
    (services[1].root / "conf" / "full").touch()
    page.get_by_label("사유").fill("카나리 정상 확인")
    page.get_by_role("button", name="계속", exact=True).click()
    expect(page.get_by_text("원복 완료", exact=True)).to_be_visible()
    expect(page.get_by_text("실패한 서버: MOF-WAS-22")).to_be_visible()
    shoot(page, "rolled-back")
    row = page.locator("#server-MOF-WAS-22")
    expect(row).to_contain_text("원복됨")
    assert len(row.locator(".meta").inner_text()) > 5, "why it failed"
    assert running(services) == ["3.1.0"] * 3
    assert services[2].asked == ["start"], "it was never touched"
    (services[1].root / "conf" / "full").unlink()
    page.get_by_role("button", name="실패한 서버만 다시 배포").click()
    expect(page.get_by_role("heading", name="배포 2번")).to_be_visible()
    page.get_by_role("button", name="승인 요청").click()
    expect(page.get_by_text("승인 대기", exact=True)).to_be_visible()
    # What was typed outlives a refusal and the refreshes that follow it.
    page.get_by_label("사유").fill("기다립니다")
    approve(web_env, 2)
    expect(page.get_by_text("카나리 확인 대기")).to_be_visible()
    expect(page.get_by_label("사유")).to_have_value("기다립니다")
    page.get_by_role("button", name="계속", exact=True).click()
    expect(page.locator(".krds-badge", has_text="완료").first).to_be_visible()
    expect(page.get_by_text("3/3")).to_be_visible()
    shoot(page, "done")
    assert running(services) == ["2.0.0"] * 3
    assert not refusals


def upload(page: Page, file: Path) -> None:
    """Upload an artefact on the page."""
    page.get_by_label("이름", exact=True).fill("budget")
    page.get_by_label("버전").fill("2.0.0")
    page.locator("#file").set_input_files(str(file))
    page.get_by_role("button", name="파일 등록").click()
    expect(page.get_by_text("2.0.0").first).to_be_visible()


def shoot(page: Page, name: str) -> None:
    """Keep a picture, if SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/rollout-{name}.png", full_page=True)
