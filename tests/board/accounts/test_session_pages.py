"""The end of a session: what a page learns, what counts as an action, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from board_env import BoardEnv
from page_env import PASSWORD, PageClient, page_app
from sqlalchemy import update

from guardia.org.model import LoginSession


def rest(env: BoardEnv, **minutes: int) -> None:
    """Let every session be unused for some minutes."""
    with env.board.database.transaction() as session:
        ago = env.board.clock() - timedelta(**minutes)
        session.execute(update(LoginSession).values(used_at=ago))


def left(browser: PageClient) -> dict[str, Any]:
    answer = browser.get("/session", headers={"accept": "application/json"})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("account", "minutes", "warning"), [("eng", 30, 5), ("admin", 10, 5)])
def test_a_page_knows_how_long_its_session_lasts(
    sign_in_as: Callable[[str], PageClient], account: str, minutes: int, warning: int
) -> None:
    browser = sign_in_as(account)
    found = left(browser)
    assert (minutes * 60 - 60) < found["seconds"] <= minutes * 60
    assert (found["warning"], found["extendable"]) == (warning * 60, True)
    assert 'id="time-left"' in browser.get_page("/issues").text


def test_only_actions_begin_the_time_again(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("eng")
    token = browser.token()
    rest(web_env, minutes=20)
    part = {"hx-request": "true", "accept": "text/html"}
    for path, headers in (("/session", {}), ("/inbox/count", part), ("/issues", part)):
        browser.get(path, headers=headers)
        assert left(browser)["seconds"] <= 600, path
    answer = browser.post("/session/extend", headers={"x-csrf-token": token})
    assert answer.json()["seconds"] > 1700


def test_an_extension_needs_a_page_of_the_session(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("eng")
    rest(web_env, minutes=20)
    assert browser.post("/session/extend").status_code == 403
    rest(web_env, minutes=31)
    assert browser.get("/session", headers={"accept": "application/json"}).status_code == 401


def test_the_longest_time_of_a_session_cannot_be_extended(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("eng")
    with web_env.board.database.transaction() as session:
        soon = web_env.board.clock() + timedelta(minutes=3)
        session.execute(update(LoginSession).values(expires_at=soon))
    found = left(browser)
    assert (found["extendable"], found["seconds"] <= 180) == (False, True)
    page = browser.get_page("/issues").text
    assert "더 연장할 수 없습니다" in page
    assert "data-extend>" not in page


def test_short_time_outs_are_renewed_by_actions(web_env: BoardEnv) -> None:
    browser = PageClient(page_app(web_env.board, idle_minutes=1))
    browser.submit_form("/login", "/login", account="eng", password=PASSWORD)
    rest(web_env, seconds=50)
    assert browser.get_page("/issues").status_code == 200
    found = left(browser)
    assert (found["seconds"] > 50, found["warning"]) == (True, 30)


def test_the_way_back_names_the_whole_address_and_the_page_of_a_form(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("eng")
    token = browser.token()
    rest(web_env, minutes=31)
    away = browser.get_page("/issues?q=is:open&page=2").headers["location"]
    assert away == "/login?next=%2Fissues%3Fq%3Dis%3Aopen%26page%3D2"
    assert "로그인 시간이 끝나" in browser.get_page(away).text
    here = str(browser.base_url)
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
    assert len(browser.get_page("/issues?q=" + "a" * 900).headers["location"]) < 500
