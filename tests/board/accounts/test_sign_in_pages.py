from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import PASSWORD, PageClient, page_app
from sqlalchemy import text

from guardia.errors import Misconfigured


def _cookies(answer: object) -> dict[str, str]:
    found = answer.headers.get_list("set-cookie")  # type: ignore[attr-defined]
    return {c.split("=", 1)[0]: c for c in found}


@pytest.mark.slow
def test_signing_in_opens_a_session_that_scripts_cannot_read(anonymous: PageClient) -> None:
    answer = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/issues")
    cookie = _cookies(answer)["guardia_session"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert anonymous.get_page("/issues").status_code == 200


def test_over_https_the_cookie_never_travels_in_the_clear(app: FastAPI) -> None:
    browser = PageClient(app, base_url="https://testserver")
    answer = browser.submit_form("/login", "/login", account="lead", password=PASSWORD)
    assert "secure" in _cookies(answer)["guardia_session"].lower()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("account", "password"), [("lead", "틀림"), ("nobody", PASSWORD), ("", "")]
)
def test_a_wrong_pair_never_says_which_half_was_wrong(
    anonymous: PageClient, account: str, password: str
) -> None:
    answer = anonymous.submit_form("/login", "/login", account=account, password=password)
    assert answer.status_code == 401
    assert "아이디 또는 비밀번호가 올바르지 않습니다" in answer.text
    assert "guardia_session" not in _cookies(answer)
    assert anonymous.get_page("/issues").status_code == 303


def test_control_characters_in_the_account_are_a_wrong_account(anonymous: PageClient) -> None:
    answer = anonymous.submit_form("/login", "/login", account="le\0ad\x1b", password="x")
    assert answer.status_code == 401


@pytest.mark.slow
def test_guessing_is_slowed_down_even_with_the_right_password(anonymous: PageClient) -> None:
    for _ in range(5):
        anonymous.submit_form("/login", "/login", account="lead", password="틀림")
    answer = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD)
    assert answer.status_code == 429
    assert "5분 후에" in answer.text
    # Another account from the same source is not locked out.
    assert (
        anonymous.submit_form("/login", "/login", account="pm", password=PASSWORD).status_code
        == 303
    )


@pytest.mark.slow
@pytest.mark.parametrize("account", ["lead", "nobody"])
def test_throttling_is_shared_by_processes_and_hides_which_accounts_exist(
    web_env: BoardEnv, account: str
) -> None:
    said = []
    for _ in range(3):
        # Each application represents one process; only the database is shared.
        anonymous = PageClient(page_app(web_env.board))
        for _ in range(2):
            answer = anonymous.submit_form("/login", "/login", account=account, password="틀림")
            said.append((answer.status_code, "5분 후에" in answer.text))
    assert said == [(401, False)] * 5 + [(429, True)]


@pytest.mark.parametrize(
    ("wish", "leads_to"),
    [
        ("/issues/7", "/issues/7"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/issues\r\nset-cookie: x=1", "/"),
    ],
)
@pytest.mark.slow
def test_signing_in_redirects_to_our_own_pages_only(
    anonymous: PageClient, wish: str, leads_to: str
) -> None:
    answer = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD, next=wish)
    assert answer.headers["location"] == leads_to


def test_signing_out_ends_the_session_on_the_server_too(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("lead")
    stolen = browser.cookies["guardia_session"]
    answer = browser.submit_form("/logout")
    assert answer.headers["location"] == "/login"
    with web_env.board.database.reading() as session:
        assert session.scalar(text("select count(*) from tb_session")) == 0
    browser.cookies.clear()
    browser.cookies.set("guardia_session", stolen)
    assert browser.get_page("/issues").status_code == 303


def test_closing_an_account_ends_its_sessions_at_once(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("lead")
    with web_env.board.database.transaction() as session:
        session.execute(text("update tb_person set active = false where person_id = 'lead'"))
    assert browser.get_page("/issues").headers["location"] == "/login?next=%2Fissues"


def test_an_expired_session_leads_back_to_the_page_after_signing_in(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("lead")
    with web_env.board.database.transaction() as session:
        session.execute(text("update tb_session set expires_at = now() - interval '1 second'"))
    away = browser.get_page("/issues/12")
    assert away.headers["location"] == "/login?next=%2Fissues%2F12"
    # The old cookie must not break the form.
    again = browser.submit_form(
        "/login", "/login", account="lead", password=PASSWORD, next="/issues/12"
    )
    assert again.headers["location"] == "/issues/12"


def test_korean_unless_english_is_asked_for_and_kept(anonymous: PageClient) -> None:
    assert '<html lang="ko">' in anonymous.get_page("/login").text
    assert "Sign in" in anonymous.get_page("/login?lang=en").text
    assert '<html lang="en">' in anonymous.get_page("/login").text
    assert '<html lang="ko">' in anonymous.get_page("/login?lang=ko").text
    assert '<html lang="ko">' in anonymous.get_page("/login?lang=xx").text


@pytest.mark.slow
def test_signing_in_as_another_account_ends_the_replaced_session(
    sign_in_as: Callable[[str], PageClient], web_env: BoardEnv
) -> None:
    browser = sign_in_as("lead")
    replaced = browser.cookies["guardia_session"]
    answer = browser.submit_form("/login", "/login", account="pm", password=PASSWORD)
    assert answer.status_code == 303
    current = browser.cookies["guardia_session"]
    assert current != replaced
    for token, status in ((replaced, 303), (current, 200)):
        browser.cookies.clear()
        browser.cookies.set("guardia_session", token)
        assert browser.get_page("/issues").status_code == status


@pytest.mark.slow
def test_a_planted_session_is_not_the_one_that_signing_in_opens(
    anonymous: PageClient, sign_in_as: Callable[[str], PageClient]
) -> None:
    for planted in ("made-up", sign_in_as("eng").cookies["guardia_session"]):
        anonymous.cookies.clear()
        anonymous.cookies.set("guardia_session", planted)
        answer = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD)
        assert answer.status_code == 303 and planted not in answer.headers["set-cookie"]
        anonymous.cookies.clear()
        anonymous.cookies.set("guardia_session", planted)
        assert anonymous.get_page("/issues").status_code == 303


@pytest.mark.slow
def test_signing_out_everywhere_ends_every_session(
    sign_in_as: Callable[[str], PageClient],
) -> None:
    here, there, other = sign_in_as("lead"), sign_in_as("lead"), sign_in_as("pm")
    answer = here.submit_form("/logout/everywhere", "/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert [b.get_page("/issues").status_code for b in (here, there, other)] == [303, 303, 200]


@pytest.mark.slow
def test_the_device_is_known_by_a_cookie_that_scripts_cannot_read(anonymous: PageClient) -> None:
    answer = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD)
    cookie = _cookies(answer)["guardia_device"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie
    anonymous.submit_form("/logout")
    for _ in range(6):
        anonymous.cookies.delete("guardia_session")
        anonymous.submit_form("/login", "/login", account="lead", password="틀림")
    # A stranger would have had five attempts.
    again = anonymous.submit_form("/login", "/login", account="lead", password=PASSWORD)
    assert again.status_code == 303


@pytest.mark.slow
@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8", "127.0.0.1, testclient"])
def test_a_made_up_forwarded_address_evades_no_throttle(web_env: BoardEnv, proxies: str) -> None:
    """The peer of these requests, `testclient`, is no trusted proxy."""
    if "testclient" in proxies:
        with pytest.raises(Misconfigured, match="testclient"):
            page_app(web_env.board, trusted_proxies=proxies)
        return
    browser = PageClient(page_app(web_env.board, trusted_proxies=proxies))
    said = []
    for number in range(6):
        browser.headers["x-forwarded-for"] = f"203.0.113.{number}"
        browser.headers["forwarded"] = f"for=203.0.113.{number}"
        answer = browser.submit_form("/login", "/login", account="lead", password="틀림")
        said.append(answer.status_code)
    assert said == [401] * 5 + [429]


@pytest.mark.slow
def test_a_form_from_another_origin_is_refused(web_env: BoardEnv) -> None:
    app = page_app(web_env.board, public_origin="https://board.example")
    browser = PageClient(app, base_url="https://testserver")
    wanted = {
        "https://board.example": 401,
        "https://testserver": 401,
        "https://evil.example": 403,
        "http://board.example": 403,
        "https://board.example:8443": 403,
        "null": 403,
    }
    said = {}
    for origin in wanted:
        browser.headers["origin"] = origin
        said[origin] = browser.submit_form(
            "/login", "/login", account="x", password="x"
        ).status_code
    assert said == wanted
