"""Passkeys in a real browser, with Chromium's virtual authenticator over CDP."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from board_env import LEAD, BoardEnv
from page_env import IssueScenario, page_app, serve_app
from passkey_env import demand_passkeys
from playwright.sync_api import BrowserContext, CDPSession, Page, Route, expect
from waiting import PATIENCE

from guardia.board.audit import log
from guardia.board.passkeys import credentials

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SignIn = Callable[..., Page]
_OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def watched(context: BrowserContext) -> BrowserContext:
    """Return the context: refused requests, which the console reports, are part of these tests."""
    context.set_default_timeout(PATIENCE * 1000)
    return context


@pytest.fixture
def site(web_env: BoardEnv) -> Iterator[str]:
    """Serve the board at a host name: browsers offer no passkeys at an IP address."""
    demand_passkeys(web_env)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    origin = f"http://localhost:{port}"
    with serve_app(page_app(web_env.board, public_origin=origin), port):
        yield origin


class Device:
    """The virtual authenticator of a page."""

    def __init__(self, page: Page) -> None:
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable", {"enableUI": False})
        made = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": _OPTIONS})
        self.id = {"authenticatorId": made["authenticatorId"]}

    def verify_user(self, verified: bool) -> None:
        self.cdp.send("WebAuthn.setUserVerified", {**self.id, "isUserVerified": verified})

    def restore(self, count: int) -> None:
        """Put the key back as it was when its counter was `count`."""
        known = self.cdp.send("WebAuthn.getCredentials", self.id)["credentials"][0]
        names = ("credentialId", "isResidentCredential", "rpId", "privateKey", "userHandle")
        kept = {name: known[name] for name in names}
        self.cdp.send("WebAuthn.clearCredentials", self.id)
        restored = {**kept, "signCount": count}
        self.cdp.send("WebAuthn.addCredential", {**self.id, "credential": restored})


def register(page: Page, site: str) -> Device:
    """Register a passkey on the account page."""
    device = Device(page)
    page.goto(f"{site}/account")
    page.get_by_label("이름", exact=True).fill("사무실 PC")
    page.get_by_role("button", name="패스키 등록").click()
    expect(page.locator("#passkeys li strong")).to_have_text("사무실 PC")
    return device


def fault(page: Page) -> Any:
    return page.locator("[data-passkey-fault]")


def approve(page: Page) -> None:
    page.get_by_role("button", name="승인", exact=True).first.click()


def before_submission(page: Page, act: Callable[[], None], plan_hash: str = "") -> None:
    """Run `act` before the next decision reaches the board, which may then name another plan."""

    def handle(route: Route) -> None:
        act()
        data = route.request.post_data or ""
        if plan_hash:
            data = re.sub(r"(^|&)plan_hash=[^&]*", rf"\g<1>plan_hash={plan_hash}", data)
        route.continue_(post_data=data)

    page.route("**/decision", handle, times=1)


def sql(env: BoardEnv, statement: str) -> None:
    with psycopg.connect(env.dsn) as connection:
        connection.execute(statement)  # type: ignore[arg-type]


def test_a_person_registers_a_passkey_and_approves_with_the_keyboard(
    sign_in: SignIn, web_env: BoardEnv, site: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    approve(page)
    expect(fault(page)).to_contain_text("등록된 패스키가 없습니다")
    expect(page.get_by_role("link", name="내 계정에서 패스키 등록")).to_be_visible()
    register(page, site)
    page.goto(f"{site}/issues/{scenario.sr_id}")
    page.get_by_role("button", name="승인", exact=True).first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".badges .status").first).to_have_text("승인됨")
    with web_env.board.database.reading() as session:
        entry = next(e for e in log.entries(session) if e.kind == "approved")
    assert entry.detail["passkey"]["content"]["plan_hash"] == scenario.plan_hash


def test_a_later_start_is_signed_as_the_approval_that_it_is(
    sign_in: SignIn, web_env: BoardEnv, site: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", f"/issues/{scenario.sr_id}")
    register(page, site)
    page.goto(f"{site}/issues/{scenario.sr_id}")
    page.locator(".after-rejection summary").first.click()
    page.locator("input[name=then][value=later]").first.check(force=True)
    page.locator("input[name=run_after]").first.fill("23:59")
    page.locator("textarea[name=reason]").first.fill("업무 시간 후에 실행")
    page.get_by_role("button", name="반려", exact=True).first.click()
    expect(page.locator(".badges .status").first).to_have_text("승인됨")
    with web_env.board.database.reading() as session:
        entry = next(e for e in log.entries(session) if e.kind == "approved")
    assert entry.detail["passkey"]["content"]["verdict"] == "approve"


def test_what_is_not_signed_by_the_person_now_is_refused_with_the_reason(
    sign_in: SignIn, web_env: BoardEnv, site: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", "/account")
    device = register(page, site)
    issue = f"{site}/issues/{scenario.sr_id}"

    page.goto(issue)
    device.verify_user(False)
    approve(page)
    expect(fault(page)).to_contain_text("취소되었거나 본인 확인이 되지 않았습니다")
    device.verify_user(True)

    before_submission(page, lambda: None, plan_hash="0" * 64)
    approve(page)
    expect(page.get_by_role("alert").first).to_contain_text("다른 계획")

    page.goto(issue)
    expire = "update tb_passkey_challenge set expires_at = now() - interval '1 second'"
    before_submission(page, lambda: sql(web_env, expire))
    approve(page)
    expect(page.get_by_role("alert").first).to_contain_text("유효 시간이 지났습니다")

    page.goto(issue)
    used = "update tb_passkey_challenge set used_at = now()"
    before_submission(page, lambda: sql(web_env, used))
    approve(page)
    expect(page.get_by_role("alert").first).to_contain_text("이미 사용된 서명")

    page.goto(issue)
    device.restore(0)
    approve(page)
    expect(page.get_by_role("alert").first).to_contain_text("복제")
    assert credentials.list_passkeys(web_env.board, LEAD) == []


def test_a_removed_passkey_does_not_sign_and_a_replay_does_not_count(
    sign_in: SignIn, web_env: BoardEnv, site: str
) -> None:
    scenario = IssueScenario(web_env).waiting()
    page = sign_in("lead", "/account")
    register(page, site)
    (own,) = credentials.list_passkeys(web_env.board, LEAD)
    page.goto(f"{site}/issues/{scenario.sr_id}")
    sent: list[str] = []

    def remove() -> None:
        credentials.remove(web_env.board, LEAD, own.passkey_id)

    page.on("request", lambda r: sent.append(r.post_data or "") if "/decision" in r.url else None)
    before_submission(page, remove)
    approve(page)
    expect(page.get_by_role("alert").first).to_contain_text("삭제되었거나")
    # The same answer again, as an attacker who recorded it would send it.
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    path = f"{site}/issues/{scenario.sr_id}/tasks/{scenario.claim.task_id}/decision"
    again = page.context.request.post(path, data=sent[0], headers=headers)
    assert again.status == 403
    assert "이미 사용된" in again.json()["message"]
