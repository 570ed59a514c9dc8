"""Sign-in with a real OpenID provider, and with answers that prove nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from board_env import BoardEnv
from directory_servers import openid_provider
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from page_env import PageClient, page_app
from second_person import waiting_requests

from guardia.board.accounts.oidc import OpenIdClient, SignInRequest
from guardia.errors import Misconfigured, SignInRefused
from guardia.org.model import Person
from guardia.settings import Settings

PEOPLE: dict[str, dict[str, object]] = {
    "eng": {"groups": ["auditors"]},
    "cus": {"groups": ["chiefs"]},
    "stranger": {},
}
ISSUER, CLIENT = "http://127.0.0.1:1/issuer", "ops-client"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with openid_provider(PEOPLE) as found:
        yield found


def settings(issuer: str, **more: object) -> dict[str, Any]:
    return {
        "public_origin": "http://testserver",
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": "s3cret",
        **more,
    }


def come_back(browser: PageClient, sub: str, **changed: str) -> httpx.Response:
    """Sign in at the provider as a person does, and follow its redirect to the board."""
    left = browser.get_page("/login/oidc?next=/queue")
    assert left.status_code == 303
    asked = httpx.post(left.headers["location"], data={"sub": sub})
    answer = parse_qs(urlsplit(asked.headers["location"]).query)
    query = {name: values[0] for name, values in answer.items()} | changed
    return browser.get("/login/oidc/callback", params=query, follow_redirects=False)  # type: ignore[return-value]


@pytest.mark.slow
def test_a_person_signs_in_and_an_unknown_one_does_not(issuer: str, web_env: BoardEnv) -> None:
    app = page_app(web_env.board, **settings(issuer))
    browser = PageClient(app, raise_server_exceptions=False)
    assert "통합 인증" in browser.get_page("/login").text
    done = come_back(browser, "eng")
    assert (done.status_code, done.headers["location"]) == (303, "/queue")
    assert browser.get_page("/queue").status_code == 200
    again = PageClient(app, raise_server_exceptions=False)
    for sub, changed in (
        ("stranger", {}),
        ("eng", {"state": "other"}),
        ("eng", {"code": "other"}),
        ("eng", {"iss": "https://other.test"}),
        ("eng", {"error": "access_denied"}),
    ):
        refused = come_back(again, sub, **changed)
        assert refused.status_code == 401, (sub, changed)
        assert again.get_page("/queue").status_code == 303
    with web_env.board.database.reading() as session:
        assert session.get(Person, "stranger") is None
    without = PageClient(app).get("/login/oidc/callback?code=a&state=b", follow_redirects=False)
    assert without.status_code == 401, "this browser has not begun it"


@pytest.mark.slow
def test_roles_come_only_from_the_map_and_one_of_approvers_waits(
    issuer: str, web_env: BoardEnv
) -> None:
    def sign_in(sub: str, **more: object) -> None:
        app = page_app(web_env.board, **settings(issuer, **more))
        assert come_back(PageClient(app), sub).status_code == 303

    def role(account: str) -> str:
        with web_env.board.database.reading() as session:
            return session.get_one(Person, account).role

    sign_in("eng", oidc_roles_claim="groups")
    assert role("eng") == "engineer", "no map, no role"
    mapped = {"oidc_roles_claim": "groups", "oidc_roles": "auditors=auditor, chiefs=admin"}
    sign_in("eng", **mapped)
    assert role("eng") == "auditor"
    sign_in("cus", **mapped)
    assert role("cus") == "customer" and len(waiting_requests(web_env.board)) == 1


class Forged(OpenIdClient):
    """A client whose provider is this test: its keys and its tokens."""

    def __init__(self, **more: object) -> None:
        super().__init__(Settings(**settings(ISSUER, **more)))
        self.own, self.served, self.token = RSAKey.generate_key(2048), 0, ""

    def _read_metadata(self) -> dict[str, Any]:
        return {"issuer": ISSUER, "token_endpoint": "-", "jwks_uri": "-"}

    def _get(self, url: str) -> Any:
        self.served += 1
        return KeySet([self.own]).as_dict(private=False)

    def _fetch_token(self, metadata: dict[str, Any], code: str, verifier: str) -> str:
        return self.token

    def sign(self, key: Any = None, algorithm: str = "RS256", **changed: object) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "eng", "nonce": "n", "iat": now}
        claims |= {"exp": now + 60, **changed}
        kept = {name: value for name, value in claims.items() if value is not None}
        used = key or self.own
        header = {"alg": algorithm, "kid": self.own.thumbprint()}
        self.token = jwt.encode(header, kept, used, algorithms=[algorithm])
        return self.token

    def who(self) -> str:
        return self.finish(SignInRequest("", "s", "n", "v"), {"state": "s", "code": "c"}).account


def test_tokens_that_prove_nothing_are_refused() -> None:
    client, now = Forged(), int(time.time())
    client.sign()
    assert client.who() == "eng"
    for changed in (
        {"iss": "http://other"},
        {"aud": "other"},
        {"aud": ["other"]},
        {"azp": "other", "aud": [CLIENT, "other"]},
        {"nonce": "replayed"},
        {"nonce": None},
        {"exp": now - 3600},
        {"exp": None},
        {"sub": None},
        {"sub": ["eng"]},
    ):
        client.sign(**changed)
        with pytest.raises(SignInRefused):
            client.who()
    client.sign(key=RSAKey.generate_key(2048))
    with pytest.raises(SignInRefused):
        client.who()
    client.sign(key=OctKey.import_key("s3cret-s3cret-s3cret-s3cret-s3cret"), algorithm="HS256")
    with pytest.raises(SignInRefused):
        client.who()
    _, payload, _ = client.sign().split(".")
    client.token = f"eyJhbGciOiJub25lIn0.{payload}."
    with pytest.raises(SignInRefused):
        client.who()
    client.token = "no token"
    with pytest.raises(SignInRefused):
        client.who()


def test_a_rotated_key_is_read_again_and_an_unverified_mail_is_no_one() -> None:
    client = Forged(oidc_claim="email")
    client.sign(email="eng", email_verified=True)
    assert client.who() == "eng"
    client.own = RSAKey.generate_key(2048)
    client.sign(email="eng", email_verified=True)
    assert client.who() == "eng", "the provider has another key now"
    for changed in ({"email": "eng"}, {"email": "eng", "email_verified": "true"}, {}):
        client.sign(**changed)
        with pytest.raises(SignInRefused):
            client.who()


def test_the_verifier_is_sent_only_as_its_hash() -> None:
    client = Forged()
    client._read_metadata = lambda: {"authorization_endpoint": "http://p/a"}  # type: ignore[method-assign]
    sent = client.begin()
    query = parse_qs(urlsplit(sent.url).query)
    assert query["code_challenge_method"] == ["S256"] and sent.verifier not in sent.url
    assert query["nonce"] == [sent.nonce] and query["state"] == [sent.state]


def test_settings_that_cannot_work_are_refused(env: BoardEnv) -> None:
    for changed in (
        {"public_origin": None},
        {"oidc_client_id": ""},
        {"oidc_issuer": "http://provider.example"},
        {"oidc_roles": "a=root"},
    ):
        with pytest.raises(Misconfigured):
            page_app(env.board, **{**settings(ISSUER), **changed})
