from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from pages import Browser, application

from guardia.board.core.context import Desk
from guardia.board.web.security_headers import MAX_BODY
from guardia.db.engine import Database

OPEN = {"/login", "/healthz", "/docs", "/openapi.json", "/intake/mattermost"}
"""What works without signing in; ``/static`` holds nobody's data."""
EXAMPLES = {"{sr_id}": "1", "{task_id}": "1", "{evidence_id}": "1"}


def walk(app: FastAPI) -> list[tuple[str, str]]:
    """Every (method, path) that the application answers."""
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


def test_every_route_but_the_named_ones_demands_a_sign_in(app: FastAPI, anyone: Browser) -> None:
    anyone.token("/login")
    for method, path in walk(app):
        if path in OPEN or method == "HEAD":
            continue
        page = anyone.request(
            method, address(path), headers={"accept": "text/html"}, follow_redirects=False
        )
        data = anyone.request(
            method, address(path), headers={"accept": "application/json"}, follow_redirects=False
        )
        if method == "GET" and not path.startswith(("/events", "/api/")):
            assert page.headers.get("location", "").startswith("/login?next="), path
        else:
            assert page.status_code in {401, 403}, (method, path)
        assert data.status_code in {401, 403}, (method, path)
        assert set(data.json()) == {"message", "documentation_url"}


def test_a_persons_session_opens_nothing_of_an_outside_agents(
    app: FastAPI, browse: Callable[[str], Browser]
) -> None:
    browser = browse("lead")
    agents = [(m, p) for m, p in walk(app) if p.startswith("/api/agent/")]
    assert len(agents) >= 5
    for method, path in agents:
        assert browser.request(method, address(path)).status_code == 401, path


def test_every_change_demands_the_token_of_a_page(
    app: FastAPI, browse: Callable[[str], Browser]
) -> None:
    browser = browse("lead")
    other = browse("pm").token()
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
    browse: Callable[[str], Browser],
) -> None:
    browser = browse("lead")
    answer = browser.post(
        "/issues",
        data={"csrf": browser.token(), "title": "x"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


def test_the_token_may_come_in_a_header(browse: Callable[[str], Browser]) -> None:
    browser = browse("lead")
    answer = browser.post(
        "/issues",
        data={"title": "머리글로"},
        headers={"x-csrf-token": browser.token()},
        follow_redirects=False,
    )
    assert answer.status_code == 303


@pytest.mark.parametrize("path", ["/login", "/issues", "/issues/999", "/docs", "/nowhere"])
def test_pages_are_never_cached_framed_or_fed_from_elsewhere(
    browse: Callable[[str], Browser], path: str
) -> None:
    headers = browse("lead").see(path).headers
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
    browse: Callable[[str], Browser],
) -> None:
    browser = browse("lead")
    for path in ("/login", "/issues", "/issues/new", "/docs"):
        html = browser.see(path).text
        assert "http://" not in html.replace("http://testserver", "")
        assert "https://" not in html
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick" not in html
        assert all("src=" in tag for tag in html.split("<script")[1:])


def test_static_files_are_kept_for_ever_only_under_their_version(anyone: Browser) -> None:
    html = anyone.see("/login").text
    versioned = html.split('href="/static/guardia.css')[1].split('"')[0]
    kept = anyone.get(f"/static/guardia.css{versioned}")
    assert kept.status_code == 200
    assert "immutable" in kept.headers["cache-control"]
    assert anyone.get("/static/guardia.css").headers["cache-control"] == "no-cache"
    packed = anyone.get("/static/guardia.css", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert anyone.get("/static/../app.py").status_code == 404
    assert anyone.get("/static/%2e%2e/app.py").status_code == 404


def test_everything_that_pages_load_is_there(
    anyone: Browser, browse: Callable[[str], Browser]
) -> None:
    for html in (anyone.see("/login").text, browse("lead").see("/docs").text):
        for half in html.replace('href="', 'src="').split('src="')[1:]:
            path = half.split('"')[0]
            if path.startswith("/static/"):
                assert anyone.get(path).status_code == 200, path


def test_health_asks_the_database(anyone: Browser, database: Any) -> None:
    assert anyone.get("/healthz").json() == {"status": "ok"}
    elsewhere = Desk(Database("postgresql://nobody:x@127.0.0.1:1/none"))
    answer = Browser(application(elsewhere), raise_server_exceptions=False).get("/healthz")
    assert answer.status_code == 503
    assert "데이터베이스" in answer.json()["message"]
    assert "127.0.0.1" not in answer.text


def test_the_api_is_described_without_the_pages(anyone: Browser) -> None:
    paths = anyone.get("/openapi.json").json()["paths"]
    assert {"/healthz", "/intake/mattermost"} <= set(paths)
    assert not [p for p in paths if p.startswith(("/issues", "/login", "/events"))]
    assert 'data-openapi="/openapi.json"' in anyone.see("/docs").text


def test_intake_needs_its_token_but_no_form(anyone: Browser) -> None:
    post = {"token": "열쇠", "post_id": "p1", "user_name": "u", "text": "운영DB가 느려요"}
    answer = anyone.post("/intake/mattermost", json=post)
    assert answer.status_code == 200
    refused = anyone.post("/intake/mattermost", json={**post, "token": "x"})
    assert refused.status_code == 401
    assert "토큰이 일치하지 않습니다" in refused.json()["message"]


def test_a_body_that_is_too_large_is_refused(anyone: Browser) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    announced = anyone.post("/login", content=b"a" * (MAX_BODY + 1), headers=form)
    assert announced.status_code == 413

    def drop() -> Any:
        for _ in range(MAX_BODY // 1024 + 2):
            yield b"a" * 1024

    streamed = anyone.post("/login", content=drop(), headers=form)
    assert streamed.status_code == 413
    assert streamed.json()["message"] == "내용을 줄여 다시 보내 주세요."
