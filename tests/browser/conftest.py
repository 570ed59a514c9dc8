"""A real browser against the real server; requests to other hosts fail the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from page_env import PASSWORD, enrol_page_users, page_app, serve_app
from playwright.sync_api import BrowserContext, Page, expect
from waiting import PATIENCE

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
_HERE = ("http://127.0.0.1:", "http://localhost:", "data:")
VIEWPORT = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use Debian's Chromium without its own windows, and without background traffic of its own."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM} here")
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--disable-sync",
        "--metrics-recording-only",
        "--no-first-run",
        "--no-pings",
        # No host name can be resolved except those of this host.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ]
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": str(CHROMIUM), "args": quiet + alone}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Use the language, time zone and screen of a Korean office, without animations."""
    return {
        **browser_context_args,
        "locale": "ko-KR",
        "timezone_id": "Asia/Seoul",
        "viewport": VIEWPORT,
        # What is measured is at rest, however slow the machine is.
        "reduced_motion": "reduce",
    }


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """What the page is to show is waited for, on a slow machine too."""
    expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """Return the seeded board with passwords for everyone."""
    enrol_page_users(env)
    return env


@pytest.fixture
def site(web_env: BoardEnv) -> Iterator[str]:
    """Serve the board and return its address."""
    with serve_app(page_app(web_env.board)) as address:
        yield address


@pytest.fixture
def refusals() -> list[str]:
    """Collect console errors: a test that provokes a refusal empties it."""
    return []


def _is_left(text: str) -> bool:
    """Return whether a page was left while a part of it was read: then the part is not needed."""
    return text.startswith(("htmx:sendAbort", "htmx:afterRequest"))


@pytest.fixture
def watched(context: BrowserContext, refusals: list[str]) -> Iterator[BrowserContext]:
    """Return the context; fail the test on a request to another host or a console error."""
    elsewhere: list[str] = []
    errors = refusals
    context.on(
        "request",
        lambda r: None if r.url.startswith(_HERE) else elsewhere.append(r.url),
    )
    context.on(
        "console",
        lambda m: errors.append(m.text) if m.type == "error" and not _is_left(m.text) else None,
    )
    context.on("weberror", lambda e: errors.append(str(e.error)))
    context.set_default_timeout(PATIENCE * 1000)
    yield context
    assert not elsewhere, elsewhere
    assert not errors, errors


@pytest.fixture
def tab(watched: BrowserContext, site: str) -> Page:
    """Return a page that opens addresses of the site."""
    return watched.new_page()


@pytest.fixture
def sign_in(tab: Page, site: str) -> Callable[..., Page]:
    """Return a function: `sign_in("lead", "/issues/1")` signs in and opens that page."""

    def signed_in(account: str, path: str = "/issues") -> Page:
        tab.goto(f"{site}{path}")
        tab.get_by_label("아이디").fill(account)
        tab.get_by_label("비밀번호").fill(PASSWORD)
        tab.get_by_role("button", name="로그인").click()
        tab.wait_for_url(f"{site}{path}")
        return tab

    return signed_in
