from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from page_env import PageClient, page_app

from guardia.board.core.keyless import keyless_context
from guardia.board.intake.registry import CHANNELS
from guardia.board.web.body_limits import BODY_LIMITS, limit_of
from guardia.db.engine import Database

OPEN = {
    *("/login", "/login/oidc", "/login/oidc/callback", "/changes/feed/{token}.ics"),
    *("/healthz", "/readyz", "/about", "/help", "/help/{topic}", "/docs", "/openapi.json"),
    *(path for channel in CHANNELS for path in channel.endpoints),
}
"""Addresses that need no sign-in; `/static` contains no personal data, and channels verify their
senders themselves."""
EXAMPLES = {"{sr_id}": "1", "{task_id}": "1", "{evidence_id}": "1"}


def walk(app: FastAPI) -> list[tuple[str, str]]:
    """Return every (method, path) of the application."""
    found: list[tuple[str, str]] = []

    def down(routes: list[Any]) -> None:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                down(inner.routes)
            elif hasattr(route, "methods"):
                found.extend((method, route.path) for method in route.methods or ())

    down(list(app.routes))
    return found


def address(path: str) -> str:
    for name, value in EXAMPLES.items():
        path = path.replace(name, value)
    return path


def test_the_walk_finds_the_routes(app: FastAPI) -> None:
    paths = {path for _, path in walk(app)}
    assert paths >= OPEN
    assert {"/", "/issues", "/issues/{sr_id}", "/events", "/logout"} <= paths
    assert len(paths) >= 14


@pytest.mark.slow
def test_every_route_but_the_public_ones_requires_a_sign_in(
    app: FastAPI, anonymous: PageClient
) -> None:
    anonymous.token("/login")
    for method, path in walk(app):
        if path in OPEN or method == "HEAD":
            continue
        page = anonymous.request(
            method, address(path), headers={"accept": "text/html"}, follow_redirects=False
        )
        data = anonymous.request(
            method, address(path), headers={"accept": "application/json"}, follow_redirects=False
        )
        if method == "GET" and not path.startswith(("/events", "/api/")):
            assert page.headers.get("location", "").startswith("/login?next="), path
        else:
            assert page.status_code in {401, 403}, (method, path)
        assert data.status_code in {401, 403}, (method, path)
        assert set(data.json()) == {"message", "documentation_url"}


def test_a_persons_session_opens_no_route_of_external_agents(
    app: FastAPI, sign_in_as: Callable[[str], PageClient]
) -> None:
    browser = sign_in_as("lead")
    agents = [(m, p) for m, p in walk(app) if p.startswith("/api/agent/")]
    assert len(agents) >= 5
    for method, path in agents:
        assert browser.request(method, address(path)).status_code == 401, path


@pytest.mark.slow
def test_every_change_requires_the_csrf_token(
    app: FastAPI, sign_in_as: Callable[[str], PageClient]
) -> None:
    browser = sign_in_as("lead")
    other = sign_in_as("pm").token()
    elsewhere = ("/intake/", "/api/agent/")
    changes = [
        (m, p) for m, p in walk(app) if m not in {"GET", "HEAD"} and not p.startswith(elsewhere)
    ]
    assert len(changes) >= 5
    for method, path in changes:
        for data in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": other}):
            answer = browser.request(method, address(path), data=data, follow_redirects=False)
            assert answer.status_code == 403, (path, data)
            assert "다른 사이트에서 보낸 요청" in answer.text


def test_a_form_on_another_site_is_refused_even_with_the_token(
    sign_in_as: Callable[[str], PageClient],
) -> None:
    browser = sign_in_as("lead")
    answer = browser.post(
        "/issues",
        data={"csrf": browser.token(), "title": "x"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


def test_the_token_may_come_in_a_header(sign_in_as: Callable[[str], PageClient]) -> None:
    browser = sign_in_as("lead")
    answer = browser.post(
        "/issues",
        data={"title": "머리글로"},
        headers={"x-csrf-token": browser.token()},
        follow_redirects=False,
    )
    assert answer.status_code == 303


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/login", "/issues", "/issues/999", "/docs", "/nowhere"])
def test_pages_are_never_cached_framed_or_loaded_from_other_hosts(
    sign_in_as: Callable[[str], PageClient], path: str
) -> None:
    headers = sign_in_as("lead").get_page(path).headers
    policy = {
        part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split(";")
    }
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_pages_name_no_other_host_and_hold_no_script_of_their_own(
    sign_in_as: Callable[[str], PageClient],
) -> None:
    browser = sign_in_as("lead")
    for path in ("/login", "/issues", "/issues/new", "/docs"):
        html = browser.get_page(path).text
        assert "http://" not in html.replace("http://testserver", "")
        assert "https://" not in html
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick" not in html
        assert all("src=" in tag for tag in html.split("<script")[1:])


def test_static_files_are_cached_forever_only_with_a_version(anonymous: PageClient) -> None:
    html = anonymous.get_page("/login").text
    for name, kind in (("every-page.css", "text/css"), ("dark.css", "text/css")):
        versioned = html.split(f'href="/static/{name}')[1].split('"')[0]
        kept = anonymous.get(f"/static/{name}{versioned}")
        assert kept.status_code == 200 and kept.headers["content-type"].startswith(kind)
        assert "immutable" in kept.headers["cache-control"]
        assert anonymous.post(f"/static/{name}").status_code == 405
        assert anonymous.get(f"/static/{name}").headers["cache-control"] == "no-cache"
    assert anonymous.get("/static/guardia.css").headers["cache-control"] == "no-cache"
    packed = anonymous.get("/static/guardia.css", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert anonymous.get("/static/../app.py").status_code == 404
    assert anonymous.get("/static/%2e%2e/app.py").status_code == 404


@pytest.mark.slow
def test_every_file_that_pages_load_exists(
    anonymous: PageClient, sign_in_as: Callable[[str], PageClient]
) -> None:
    for html in (anonymous.get_page("/login").text, sign_in_as("lead").get_page("/docs").text):
        for half in html.replace('href="', 'src="').split('src="')[1:]:
            path = half.split('"')[0]
            if path.startswith("/static/"):
                assert anonymous.get(path).status_code == 200, path


def test_the_board_is_alive_without_its_database(anonymous: PageClient) -> None:
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    elsewhere = keyless_context(Database("postgresql://nobody:x@127.0.0.1:1/none"))
    away = PageClient(page_app(elsewhere), raise_server_exceptions=False)
    assert away.get("/healthz").json() == {"status": "ok"}
    answer = away.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False}
    assert "127.0.0.1" not in answer.text and "nobody" not in answer.text


def test_readiness_tells_every_part(anonymous: PageClient) -> None:
    answer = anonymous.get("/readyz")
    assert answer.status_code == 503 and not answer.json()["ready"]
    checks = answer.json()["checks"]
    assert set(checks) == {"database", "workers", "audit", "chart", "disk", "clock", "stop"}
    assert checks["workers"] == {"ok": False, "alive": 0}
    assert all(checks[name]["ok"] for name in ("database", "audit", "chart", "stop"))


@pytest.mark.slow
def test_the_api_is_described_without_the_pages(anonymous: PageClient) -> None:
    paths = anonymous.get("/openapi.json").json()["paths"]
    assert {"/healthz", "/intake/mattermost"} <= set(paths)
    assert not [p for p in paths if p.startswith(("/issues", "/login", "/events"))]
    assert 'data-openapi="/openapi.json"' in anonymous.get_page("/docs").text


def test_intake_needs_its_token_but_no_form(anonymous: PageClient) -> None:
    post = {"token": "열쇠", "post_id": "p1", "user_name": "u", "text": "운영DB가 느려요"}
    answer = anonymous.post("/intake/mattermost", json=post)
    assert answer.status_code == 200
    refused = anonymous.post("/intake/mattermost", json={**post, "token": "x"})
    assert refused.status_code == 401
    assert "토큰이 일치하지 않습니다" in refused.json()["message"]


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [one.prefix for one in BODY_LIMITS if one.pause is None])
def test_a_body_that_is_too_large_is_refused(anonymous: PageClient, prefix: str) -> None:
    shown = {
        "/": "/issues",
        "/intake/": "/intake/mattermost",
        "/intake/slack/": "/intake/slack/events",
    }
    path = shown.get(prefix, prefix)
    limit = limit_of(path, "POST")
    assert limit.prefix == prefix
    form = {"content-type": "application/x-www-form-urlencoded"}
    announced = anonymous.post(path, content=b"a" * (limit.bytes + 1), headers=form)
    assert announced.status_code == 413

    def drop() -> Any:
        for _ in range(limit.bytes // 1024 + 2):
            yield b"a" * 1024

    streamed = anonymous.post(path, content=drop(), headers=form)
    assert streamed.status_code == 413
    assert streamed.json()["message"] == "내용을 줄여 다시 보내 주세요."
