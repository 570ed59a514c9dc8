"""The end of a session: what a page learns, what counts as an action, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from board_env import BoardEnv
from page_env import PASSWORD, PageClient, page_app
from sqlalchemy import update

from guardia.org.model import LoginSession

JSON = {"accept": "application/json"}
PART = {"hx-request": "true", "accept": "text/html"}
WHOLE = {"seconds": 1800, "warning": 300, "extendable": True}


@dataclass
class Office:
    """A board with a clock that the test moves."""

    env: BoardEnv
    now: datetime

    def sign_in(self, account: str, **settings: object) -> PageClient:
        board = replace(self.env.board, clock=lambda: self.now)
        browser = PageClient(page_app(board, **settings), raise_server_exceptions=False)
        browser.submit_form("/login", "/login", account=account, password=PASSWORD)
        return browser

    def rest(self, **time: int) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def office(web_env: BoardEnv) -> Office:
    return Office(web_env, datetime.now(UTC))


def left(browser: PageClient) -> dict[str, Any]:
    """Return what the script of a page learns."""
    found: dict[str, Any] = browser.get("/session", headers=JSON).json()
    return found


@pytest.mark.slow
def test_a_page_knows_how_long_its_session_lasts(office: Office) -> None:
    engineer, admin = office.sign_in("eng"), office.sign_in("admin")
    assert left(engineer) == WHOLE
    assert left(admin) == {"seconds": 600, "warning": 300, "extendable": True}
    assert 'id="time-left"' in engineer.get_page("/issues").text
    office.rest(minutes=3, seconds=30)
    assert left(admin) == {"seconds": 390, "warning": 300, "extendable": True}


@pytest.mark.slow
def test_only_actions_begin_the_time_again(office: Office) -> None:
    browser = office.sign_in("eng")
    token = browser.token()
    office.rest(minutes=20)
    for path, headers in (("/session", JSON), ("/inbox/count", PART), ("/issues", PART)):
        browser.get(path, headers=headers)
        assert left(browser) == {**WHOLE, "seconds": 600}, path
    extended = browser.post("/session/extend", headers={**JSON, "x-csrf-token": token})
    assert (extended.json(), left(browser)) == (WHOLE, WHOLE)
    office.rest(minutes=29)
    browser.get_page("/issues")
    assert left(browser) == WHOLE
    office.rest(minutes=30)
    assert browser.get("/session", headers=JSON).status_code == 401


def test_an_extension_needs_a_page_of_the_session(office: Office) -> None:
    browser = office.sign_in("eng")
    office.rest(minutes=20)
    assert browser.post("/session/extend", headers=JSON).status_code == 403


@pytest.mark.slow
def test_the_longest_time_of_a_session_cannot_be_extended(office: Office) -> None:
    browser = office.sign_in("eng")
    with office.env.board.database.transaction() as session:
        session.execute(update(LoginSession).values(expires_at=office.now + timedelta(minutes=3)))
    assert left(browser) == {"seconds": 180, "warning": 300, "extendable": False}
    page = browser.get_page("/issues").text
    assert "더 연장할 수 없습니다" in page
    assert "data-extend>" not in page


@pytest.mark.slow
def test_short_time_outs_are_renewed_by_actions(office: Office) -> None:
    browser = office.sign_in("eng", idle_minutes=1)
    office.rest(seconds=50)
    browser.get_page("/issues")
    assert left(browser) == {"seconds": 60, "warning": 30, "extendable": True}


def test_the_way_back_names_the_whole_address_and_the_page_of_a_form(office: Office) -> None:
    browser = office.sign_in("eng")
    token, here = browser.token(), str(browser.base_url)
    office.rest(minutes=31)
    away = browser.get_page("/issues?q=is:open&page=2").headers["location"]
    assert away == "/login?next=%2Fissues%3Fq%3Dis%3Aopen%26page%3D2"
    assert "로그인 시간이 끝나" in browser.get_page(away).text
    for referer, place in (
        (f"{here}/issues/new?server=MOF-DB-01", "%2Fissues%2Fnew%3Fserver%3DMOF-DB-01"),
        ("https://elsewhere.example/issues/1", "%2Fissues"),
        ("", "%2Fissues"),
    ):
        sent = browser.post(
            "/issues",
            data={"csrf": token, "title": "x"},
            headers={"referer": referer, "accept": "text/html"},
            follow_redirects=False,
        )
        assert sent.headers["location"] == f"/login?next={place}"
    long = browser.get_page("/issues?q=" + "a" * 900).headers["location"]
    assert long == "/login?next=%2Fissues"


def test_who_signs_out_or_comes_for_the_first_time_reads_of_no_end(office: Office) -> None:
    browser = office.sign_in("eng")
    browser.submit_form("/logout", "/issues")
    assert "로그인 시간이 끝나" not in browser.get_page("/login").text
