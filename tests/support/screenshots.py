"""Write a picture of every page, for every role, of an installation with the demo's data.

`make screenshots` runs it; the folder it names has an index.html. Nothing is left running.
"""

from __future__ import annotations

import argparse
import html
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from rich.console import Console

from guardia.board.issues import view
from guardia.board.web.navigation import administration, visible_items
from guardia.cli import demo_stories
from guardia.cli.demo_environment import DEMO_REQUESTER, DemoEnvironment
from guardia.cli.demo_run import DemoRun
from guardia.org.directory import PersonInfo
from guardia.settings import Settings

CHROMIUM = "/usr/bin/chromium-headless-shell"
WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")
_REQUESTS = (
    "기재부 와스 1호기 화면이 안 떠요. 포트는 열려 있는데 응답이 없습니다",
    "행안부 와스 로그 볼륨이 꽉 차서 오류가 납니다",
    "복지부 결재 화면이 어제 오후부터 자주 끊긴다는 문의가 여러 부서에서 계속 들어오고 있습니다",
    "프린터 용지가 없어요",
    "기재부 운영DB 느려요",
)
_MANY = 30
_SETTLED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a page."""

    role: str
    path: str
    width: int
    scheme: str

    @property
    def file(self) -> str:
        """Name of its file."""
        name = self.path.strip("/").replace("/", "-").replace("?", "-") or "home"
        return f"{self.role}--{name}--{self.width}-{self.scheme}.png"


def pages_of(person: PersonInfo) -> list[str]:
    """Return the addresses of all pages in the navigation of a person."""
    items = [item.path for item in visible_items(person)]
    for _, group in administration(person):
        items += [item.path for item in group]
    return list(dict.fromkeys([*items, "/account", "/about"]))


def post(environment: DemoEnvironment, number: int, text: str) -> None:
    """Post a line in a room, as the messenger's webhook does."""
    body = {
        "token": environment.messenger_token,
        "post_id": f"shots{number}",
        "channel_name": "기재부-운영",
        "user_id": DEMO_REQUESTER[2],
        "user_name": "장하늘",
        "text": text,
    }
    httpx.post(f"{environment.address}/intake/mattermost", json=body, timeout=30).raise_for_status()


def fill(environment: DemoEnvironment, console: Console) -> None:
    """Run the demo's first story to its end, and file further requests that wait for people."""
    story = demo_stories.STORIES["lock-chain"]
    run = DemoRun(environment, story, console, yes=True, timeout=240.0)
    run.begin()
    run.follow()
    for number in range(_MANY):
        post(environment, number, f"{_REQUESTS[number % len(_REQUESTS)]} ({number + 1})")
    until = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < until:
        states = [view.issue(environment.board, n).state for n in range(2, 12)]
        if all(state not in {"RECEIVED", "PARSED"} for state in states):
            return
        time.sleep(2)


def sign_in(context: BrowserContext, environment: DemoEnvironment, account: str) -> Page:
    """Sign in and return a page."""
    page = context.new_page()
    page.goto(f"{environment.address}/login")
    page.locator("#account").fill(account)
    page.locator("#password").fill(environment.password)
    page.locator("form[action='/login'] button[type=submit]").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def shots(
    browser: Browser, environment: DemoEnvironment, person: PersonInfo, paths: list[str]
) -> Iterator[tuple[Shot, Page]]:
    """Open every page of a person in every width and scheme."""
    state = None
    for scheme in SCHEMES:
        for width in WIDTHS:
            context = browser.new_context(
                locale="ko-KR",
                timezone_id="Asia/Seoul",
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
                storage_state=state,
            )
            page = context.new_page() if state else sign_in(context, environment, person.id)
            state = context.storage_state()
            for path in paths:
                page.goto(f"{environment.address}{path}")
                page.wait_for_timeout(250)  # charts draw themselves
                yield Shot(person.role, path, width, scheme), page
            context.close()


def write_index(folder: Path, made: list[Shot], wide: list[str]) -> None:
    """Write the page that shows them all."""
    rows = []
    for role, path in dict.fromkeys((shot.role, shot.path) for shot in made):
        images = "".join(
            f'<a href="{html.escape(s.file)}"><img loading="lazy" src="{html.escape(s.file)}" '
            f'alt="{s.width} {s.scheme}" height="320"></a>'
            for s in made
            if (s.role, s.path) == (role, path)
        )
        rows.append(f"<h2>{role} {html.escape(path)}</h2><p>{images}</p>")
    found = "".join(f"<li>{html.escape(line)}</li>" for line in wide)
    style = "body{font-family:sans-serif} img{border:1px solid #888;margin:4px}"
    text = f'<!doctype html><meta charset="utf-8"><title>GUARDiA</title><style>{style}</style>'
    text += f"<h1>GUARDiA</h1><p>Wider than the window:</p><ul>{found}</ul>" + "".join(rows)
    (folder / "index.html").write_text(text, "utf-8")


def take(folder: Path, environment: DemoEnvironment, roles: list[str], only: list[str]) -> None:
    """Take the pictures."""
    made, wide = [], []
    people: dict[str, PersonInfo] = {}
    for person in environment.fleet.directory().people:
        people.setdefault(person.role, person)
    alone = ["--lang=ko-KR", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=alone, env={**os.environ, "LANGUAGE": "ko"}
        )
        for role, person in people.items():
            if roles and role not in roles:
                continue
            issues = ["/issues/1", "/issues/2"]
            paths = [p for p in [*pages_of(person), *issues] if not only or p in only]
            for shot, page in shots(browser, environment, person, paths):
                page.screenshot(path=folder / shot.file, full_page=True)
                made.append(shot)
                if page.evaluate("document.documentElement.scrollWidth") > shot.width:
                    wide.append(f"{shot.role} {shot.path} {shot.width}")
        browser.close()
    write_index(folder, made, wide)
    print(f"{len(made)} pictures: {folder / 'index.html'}")
    for line in wide:
        print(f"wider than the window: {line}")


def main() -> None:
    """Start an installation, fill it, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".screenshots"))
    parser.add_argument("--role", action="append", default=[])
    parser.add_argument("--page", action="append", default=[])
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    with TemporaryDirectory(prefix="guardia-shots-") as home:
        os.environ["GUARDIA_HOME"] = home
        Path(home).chmod(0o711)  # for the database's account
        with DemoEnvironment(Settings(), console).opened() as environment:
            fill(environment, console)
            take(given.folder, environment, given.role, given.page)


if __name__ == "__main__":
    main()
