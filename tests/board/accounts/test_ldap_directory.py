"""Passwords of accounts without one here are checked in a real directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from board_env import BoardEnv
from directory_servers import BASE, free_port, ldap_server
from page_env import PASSWORD, PageClient, page_app
from sqlalchemy import update

from guardia.board.accounts import ldap_directory
from guardia.errors import Misconfigured, SignInUnavailable
from guardia.org.model import Person
from guardia.settings import Settings

PEOPLE = {"eng": "디렉터리-암호", "lead": "다른-암호", "star": "x", "ghost": "유령-암호"}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, int]]:
    folder = tmp_path_factory.mktemp("ldap")
    with ldap_server(folder, PEOPLE) as (plain, tls):
        yield folder, plain, tls


def settings(url: str, folder: Path | None = None, **more: object) -> dict[str, object]:
    found: dict[str, object] = {"ldap_url": url, "ldap_base": f"ou=people,{BASE}"}
    found |= {"ldap_bind_dn": f"cn=admin,{BASE}", "ldap_bind_password": "adminpw"}
    return found | ({"ldap_ca": folder / "ca.pem"} if folder else {}) | more


def accepts(given: dict[str, object], account: str, password: str) -> bool:
    return ldap_directory.is_password(Settings(**given), account, password)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["ldap", "ldaps", "ldap+plain"])
def test_only_the_persons_own_password_is_accepted(
    servers: tuple[Path, int, int], scheme: str
) -> None:
    folder, plain, tls = servers
    port = tls if scheme == "ldaps" else plain
    given = settings(f"{scheme}://127.0.0.1:{port}", folder)
    assert accepts(given, "eng", PEOPLE["eng"])
    wrong = {
        "eng": ["", PEOPLE["lead"], "*", "\0", "\u00ad", "\u200b\u00ad"],
        "*": ["x", PEOPLE["eng"], ""],
        "e*": [PEOPLE["eng"]],
        "eng)(uid=*": [PEOPLE["eng"]],
        "eng)(|(uid=lead": [PEOPLE["lead"]],
        "nobody": ["x", ""],
        "": ["x", ""],
    }
    for account, passwords in wrong.items():
        for password in passwords:
            assert not accepts(given, account, password), (account, password)


@pytest.mark.slow
def test_an_unknown_certificate_or_a_silent_server_accepts_no_one(
    servers: tuple[Path, int, int],
) -> None:
    _, plain, tls = servers
    for url in (f"ldap://127.0.0.1:{plain}", f"ldaps://127.0.0.1:{tls}"):
        with pytest.raises(SignInUnavailable):
            accepts(settings(url), "eng", PEOPLE["eng"])
    with pytest.raises(SignInUnavailable):
        accepts(settings(f"ldap+plain://127.0.0.1:{free_port()}"), "eng", PEOPLE["eng"])
    denied = settings(f"ldap+plain://127.0.0.1:{plain}", ldap_bind_password="wrong")
    with pytest.raises(SignInUnavailable):
        accepts(denied, "eng", PEOPLE["eng"])


@pytest.mark.slow
def test_people_sign_in_with_the_directory_and_no_account_is_made(
    servers: tuple[Path, int, int], web_env: BoardEnv
) -> None:
    folder, _, tls = servers
    with web_env.board.database.transaction() as session:
        session.execute(update(Person).where(Person.person_id == "eng").values(password_hash=None))
    app = page_app(web_env.board, **settings(f"ldaps://127.0.0.1:{tls}", folder))

    def status(account: str, password: str) -> int:
        browser = PageClient(app, raise_server_exceptions=False)
        answer = browser.submit_form("/login", "/login", account=account, password=password)
        return int(answer.status_code)

    assert status("eng", PEOPLE["eng"]) == 303
    assert status("eng", "") == 401
    assert status("eng", PASSWORD) == 401
    assert status("lead", PASSWORD) == 303, "who has a password here uses it"
    assert status("lead", PEOPLE["lead"]) == 401
    assert status("ghost", PEOPLE["ghost"]) == 401
    with web_env.board.database.reading() as session:
        assert session.get(Person, "ghost") is None


def test_settings_that_cannot_work_are_refused() -> None:
    for given in (
        {"ldap_url": "https://x"},
        {"ldap_url": "ldap://"},
        {"ldap_url": "ldaps://x", "ldap_filter": "(uid=lead)"},
    ):
        with pytest.raises(Misconfigured):
            ldap_directory.require_valid(Settings(**given))  # type: ignore[arg-type]
