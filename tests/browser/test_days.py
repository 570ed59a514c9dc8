"""The day of each role on an installation that `guardia init` has made; all data by clicks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import environment, run_process, start_process
from playwright.sync_api import Browser, Page, expect
from waiting import PATIENCE

from guardia.db.embedded import APPLICATION_ROLE, OWNER_ROLE, Cluster
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings
from guardia.tools.lab.running_fleet import RunningFleet

pytestmark = [pytest.mark.slow, pytest.mark.browser]

FIRST = "처음-정한-암호-1234"
OWN = "직접-바꾼-암호-5678"
PHONE = {"width": 390, "height": 844}
STAFF = {
    "lead1": ("정다은", "team_lead"),
    "pm1": ("최현우", "pm"),
    "sec2": ("한지민", "security_officer"),
    "eng1": ("김철수", "engineer"),
    "cus1": ("장하늘", "customer"),
    "aud1": ("백서윤", "auditor"),
}
AGENT = """  - id: backup-agent
    title: 백업 전문가
    duty: operate
    reports_to: dispatcher
    skills: [BACKUP]
    role: roles/database.md
    brain: {kind: embedded}
    heartbeat: {every: 10m}

"""


@dataclass
class Office:
    """A running installation, and the people who sit at its pages."""

    browser: Browser
    address: str
    superuser_dsn: str
    env: dict[str, str]
    fleet: RunningFleet
    passwords: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def at(self, account: str, path: str = "/", *, phone: bool = False) -> Iterator[Page]:
        """Sign a person in; the window closes after the block."""
        context = self.browser.new_context(
            locale="ko-KR",
            timezone_id="Asia/Seoul",
            viewport=PHONE if phone else {"width": 1440, "height": 900},  # type: ignore[arg-type]
        )
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.goto(f"{self.address}{path}")
        page.get_by_label("아이디").fill(account)
        page.get_by_label("비밀번호").fill(self.passwords[account])
        page.get_by_role("button", name="로그인").click()
        page.wait_for_url(lambda url: "/login" not in url)
        yield page
        context.close()

    def allow_rights(self, decider: str, count: int) -> None:
        """Allow requests of rights, as the second person."""
        with self.at(decider, "/rights") as page:
            allow = page.get_by_role("button", name="승인")
            for left in range(count, 0, -1):
                expect(allow).to_have_count(left)
                allow.first.click()
            expect(page.get_by_text("승인을 기다리는 권한 요청이 없습니다")).to_be_visible()

    def choose_password(self, account: str) -> None:
        """Change the one-time password at the first sign-in."""
        once = self.passwords[account]
        with self.at(account) as page:
            page.get_by_label("현재 비밀번호").fill(once)
            page.get_by_label("새 비밀번호", exact=True).fill(OWN)
            page.get_by_label("새 비밀번호 확인").fill(OWN)
            page.get_by_role("button", name="비밀번호 변경").click()
            expect(page.get_by_text("비밀번호를 변경했습니다")).to_be_visible()
        self.passwords[account] = OWN


@pytest.fixture(scope="module")
def installed(cluster: Cluster, fleet: RunningFleet, browser: Browser) -> Iterator[Office]:
    """Make an installation with `guardia init` and run it."""
    home = Path(tempfile.mkdtemp(prefix="guardia-days-"))
    home.chmod(0o711)
    cluster.create_database("days", owner=OWNER_ROLE)
    env = environment(
        home,
        GUARDIA_DSN=cluster.dsn(APPLICATION_ROLE, "days"),
        GUARDIA_OWNER_DSN=cluster.dsn(OWNER_ROLE, "days"),
        GUARDIA_PASSWORD=FIRST,
        GUARDIA_PORT="0",
    )
    made = run_process("init", "--admin", "root1", "--name", "홍길동", "--json", env=env)
    assert json.loads(made.stdout)["admin"]["changed"], made.stderr
    FileCredentialStore(Settings(home=home).secrets).put(*fleet.credential())
    with (home / "up.log").open("wb") as log:
        up = start_process("up", env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert up.stdout is not None
        found = re.search(r"http://\S+", up.stdout.readline())
        assert found, (home / "up.log").read_text()
        superuser = cluster.dsn(cluster.superuser, "days")
        office = Office(browser, found[0].rstrip("/"), superuser, env, fleet)
        office.passwords["root1"] = FIRST
        yield office
    finally:
        up.terminate()
        up.wait(PATIENCE)
        up.stdout.close()  # type: ignore[union-attr]
        cluster.drop_database("days")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def office(installed: Office) -> Office:
    """Let the administrator enrol everyone by clicks; a second person allows the rights."""
    with installed.at("root1", "/institutions") as page:
        page.locator("#institution").fill("MOF")
        page.locator("form[action='/institutions'] [name=name]").fill("기획재정부")
        page.get_by_role("button", name="기관 등록").click()
        expect(page.get_by_role("rowheader", name="MOF")).to_be_visible()
        for account, (name, role) in STAFF.items():
            page.goto(f"{installed.address}/people/new")
            page.get_by_label("아이디").fill(account)
            page.get_by_label("이름").fill(name)
            page.get_by_label("역할").select_option(role)
            if role == "customer":
                page.get_by_label("소속 기관").fill("MOF")
            page.get_by_role("button", name="등록하고 비밀번호 발급").click()
            installed.passwords[account] = page.locator(".secret").inner_text()
        # The only administrator reads how a second person comes to be.
        page.goto(f"{installed.address}/rights")
        expect(page.get_by_text("guardia person add").first).to_be_visible()
    words = ("person", "add", "sec1", "--name", "서보안", "--role", "security_officer")
    done = run_process(*words, env=installed.env)
    assert done.returncode == 0, done.stderr
    installed.passwords["sec1"] = FIRST
    with installed.at("root1", "/rights") as page:
        page.get_by_role("button", name="승인").click()
        expect(page.get_by_text("서보안: 계정 사용 보안책임자")).to_be_visible()
    installed.allow_rights("sec1", 3)
    for account in STAFF:
        installed.choose_password(account)
    return installed


def test_a_customer_files_and_an_engineer_takes_over_from_the_queue(office: Office) -> None:
    with office.at("cus1") as page:
        page.get_by_role("link", name="새 요청").first.click()
        page.get_by_label("제목").fill("회의실 프린터가 인쇄되지 않습니다")
        page.get_by_role("button", name="접수").click()
        expect(page.get_by_text("접수되었습니다")).to_be_visible()
        issue = page.url.removeprefix(office.address)
        expect(page.locator(".badges .status")).to_have_text("담당자 처리")
    with office.at("eng1", "/queue") as page:
        expect(page.get_by_role("link", name="회의실 프린터")).to_be_visible()
        page.get_by_role("button", name="내가 맡기").click()
        page.goto(f"{office.address}{issue}")
        page.locator("#close > summary").click()
        page.get_by_label("처리 내용 또는 사유").fill("토너를 교체하고 인쇄를 확인했습니다.")
        page.locator("#close").get_by_role("button", name="이슈 종료").click()
        expect(page.locator(".badges .status")).to_have_text("완료")
    with office.at("cus1", issue) as page:
        expect(page.get_by_text("처리가 완료되었습니다")).to_be_visible()
        expect(page.get_by_text("해결되지 않았습니다")).to_be_visible()


def enrol_server(office: Office) -> str:
    """Let an engineer enrol a server of the fleet by clicks; return the name of a service."""
    host: Any = next(h for h in office.fleet.directory().servers if h.server_id == "MOF-DB-01")
    with office.at("eng1", "/servers/new") as page:
        page.get_by_label("서버 ID").fill("MOF-DB-01")
        page.get_by_label("주소").fill(host.address)
        page.get_by_label("포트").fill(str(host.port))
        page.get_by_label("접속 계정").fill(host.account)
        page.get_by_label("자격 증명").fill(office.fleet.credential()[0])
        page.get_by_role("button", name="접속하여").click()
        page.get_by_role("button", name="지문이 같습니다").click()
        page.get_by_role("button", name="서버 등록").click()
        expect(page.get_by_role("heading", name="MOF-DB-01")).to_be_visible()
        return page.locator("tr", has_text="postgresql").first.get_by_role("rowheader").inner_text()


def hire_and_demand_three_approvals(office: Office) -> None:
    """Let the administrator change the chart on its page."""
    with office.at("root1", "/org/edit") as page:
        chart = page.locator("textarea").first
        text = chart.input_value().replace("  - id: auditor\n", f"{AGENT}  - id: auditor\n", 1)
        two = "FORCED: {steps: [team_lead, security_officer]"
        assert two in text
        chart.fill(text.replace(two, "FORCED: {steps: [team_lead, pm, security_officer]"))
        page.get_by_role("button", name="변경 사항 확인").click()
        expect(page.get_by_text("에이전트 추가: backup-agent (백업 전문가)")).to_be_visible()
        page.get_by_role("button", name="적용", exact=True).click()
        page.goto(f"{office.address}/agents")
        expect(page.get_by_text("백업 전문가")).to_be_visible()


def force(office: Office, service: str) -> str:
    """Let the administrator order a change that needs three approvals; return the issue."""
    with office.at("root1", "/issues/new") as page:
        page.get_by_label("제목").fill("MOF-DB-01의 DB 세션을 정리해 주세요")
        page.get_by_role("button", name="접수").click()
        expect(page.locator(".badges .status")).to_have_text("담당자 처리")
        issue = page.url.removeprefix(office.address)
        page.goto(f"{office.address}{issue}/force")
        page.locator("#server").fill("MOF-DB-01")
        page.locator("#tool").select_option("database.terminate_session")
        # A session that does not exist: the check before the change refuses it.
        values = f"service={service}\npid=999999\nbackend_start=2026-11-20 05:00:00+00"
        page.locator("#arguments").fill(values)
        page.locator("form textarea[name=reason]").fill("장애 대응을 위해 즉시 종료합니다")
        page.locator("main form button[type=submit]").first.click()
        expect(page.get_by_text("이전 단계 완료 후").first).to_be_visible()
    return issue


def test_three_approve_in_order_and_the_auditor_finds_a_tampered_entry(office: Office) -> None:
    hire_and_demand_three_approvals(office)
    issue = force(office, enrol_server(office))
    approve: Callable[[Page], Any] = lambda page: page.get_by_role("button", name="승인")  # noqa: E731
    with office.at("pm1", issue, phone=True) as page:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(approve(page)).to_have_count(0)
    for account in ("lead1", "pm1", "sec2"):
        with office.at(account, phone=True) as page:
            page.locator(".inbox").get_by_role("link", name="MOF-DB-01").first.click()
            expect(approve(page)).to_be_in_viewport(ratio=1)
            approve(page).click()
            expect(approve(page)).to_have_count(0)
    with office.at("aud1", "/dashboard/servers") as page:
        marked = page.locator(".events .altered")
        row = page.locator(".events li").first
        expect(row).to_be_visible()
        expect(marked).to_have_count(0)
        seq = (row.get_attribute("id") or "").removeprefix("entry-")
        with psycopg.connect(office.superuser_dsn) as connection:
            connection.execute("alter table tb_audit_log disable trigger append_only")
            rewrite = "update tb_audit_log set log_content = '아무 일도 없었음' where seq = %s"
            connection.execute(rewrite, [seq])
        page.reload()
        expect(page.locator(f"#entry-{seq}.altered")).to_contain_text("위변조 의심")
        page.goto(f"{office.address}/audit/{seq}")
        expect(page.get_by_text("기록 후 변경되었습니다")).to_be_visible()
