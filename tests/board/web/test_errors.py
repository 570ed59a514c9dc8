from __future__ import annotations

import select
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import PAGE, PageClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from waiting import wait_until

from guardia import errors
from guardia.board.site import permissions
from guardia.board.web import errors as web_errors
from guardia.db.engine import driver_connection
from guardia.errors import GuardiaError

SECRET = "postgresql://guardia_app:hunter2@10.0.0.1/guardia"


def raising(app: FastAPI, error: Exception) -> PageClient:
    """Return the application with one more route, which raises `error`."""

    def fail() -> None:
        raise error

    app.add_api_route("/fail", fail)
    app.state.rules["GET", "/fail"] = permissions.PUBLIC
    return PageClient(app, raise_server_exceptions=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound(what="SR-1"), 404),
        (errors.Forbidden(who="a", action="b"), 403),
        (errors.Invalid(what="a", why="b"), 422),
        (errors.Stale(what="SR-1"), 409),
        (errors.IllegalMove(state="a", move="b"), 409),
        (errors.Refused(why="b"), 409),
        (errors.UserError(), 400),
    ],
)
def test_user_errors_are_explained_as_page_and_as_json(
    app: FastAPI, error: GuardiaError, status: int
) -> None:
    browser = raising(app, error)
    page, data = browser.get_page("/fail"), browser.get("/fail")
    assert page.status_code == data.status_code == status
    assert str(error) in page.text.replace("&#39;", "'")
    assert data.json() == {"message": str(error), "documentation_url": "/docs"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [
        errors.Unreachable(server="MOF-DB-01", why=SECRET),
        errors.CommandFailed(tool="t", exit=1, output=SECRET),
        errors.Misconfigured(what="dsn", why=SECRET),
        errors.ProgrammerError(why=SECRET),
        RuntimeError(SECRET),
        KeyError(SECRET),
    ],
)
def test_operator_errors_are_shown_without_detail(
    app: FastAPI, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    browser = raising(app, error)
    page, data = browser.get_page("/fail"), browser.get("/fail")
    assert page.status_code == data.status_code == 500
    for answer in (page, data):
        assert "시스템 오류가 발생했습니다" in answer.text
        for hidden in ("hunter2", "10.0.0.1", "Traceback", "RuntimeError", "MOF-DB-01"):
            assert hidden not in answer.text
        assert "content-security-policy" in answer.headers
        assert answer.headers["cache-control"] == "no-store"
    # The reference shown to the person leads the operator to the trace.
    assert data.json()["reference"] in caplog.text
    assert "hunter2" in caplog.text


def failing(env: BoardEnv, act: Callable[[Session], object]) -> Callable[[], None]:
    """Return a route that acts in a transaction of the real database."""

    def fail() -> None:
        with env.board.database.transaction() as session:
            act(session)

    return fail


def end_idle_session(session: Session) -> None:
    session.execute(text("set local idle_in_transaction_session_timeout = '20ms'"))
    assert wait_until(lambda: ended(session))
    session.execute(text("select 1"))


def ended(session: Session) -> bool:
    """Return whether the server has sent the end of the session: nothing else is to be read."""
    return bool(select.select([driver_connection(session).pgconn.socket], [], [], 0)[0])


TEMPORARY: dict[str, Callable[[Session], object]] = {
    "25P03 idle in a transaction": end_idle_session,
    "25006 read only": lambda s: [
        s.execute(text("set transaction read only")),
        s.execute(text("insert into tb_tick default values")),
    ],
    "57014 canceled": lambda s: [
        s.execute(text("set local statement_timeout = 1")),
        s.execute(text("select pg_sleep(5)")),
    ],
    "57P01 shut down": lambda s: s.execute(text("select pg_terminate_backend(pg_backend_pid())")),
    "connection closed": lambda s: [driver_connection(s).close(), s.execute(text("select 1"))],
    **{
        f"{code} raised": lambda s, code=code: s.execute(  # type: ignore[misc]
            text(f"do $$ begin raise exception using errcode = '{code}'; end $$")
        )
        for code in (
            "08006",
            "40001",
            "40P01",
            "53100",
            "53200",
            "53300",
            "55P03",
            "57P03",
            "58030",
        )
    },
}


@pytest.mark.parametrize("name", TEMPORARY)
def test_what_passes_asks_for_another_attempt(app: FastAPI, web_env: BoardEnv, name: str) -> None:
    app.add_api_route("/fail", failing(web_env, TEMPORARY[name]))
    app.state.rules["GET", "/fail"] = permissions.PUBLIC
    browser = PageClient(app, raise_server_exceptions=False)
    for answer in (browser.get("/fail"), browser.get_page("/fail")):
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, "5"), answer.text


@pytest.mark.parametrize("code", ["25P02", "42P01", "23505", "XX001", "P0001"])
def test_what_does_not_pass_is_a_fault(app: FastAPI, web_env: BoardEnv, code: str) -> None:
    raised = f"do $$ begin raise exception using errcode = '{code}'; end $$"
    app.add_api_route("/fail", failing(web_env, lambda s: s.execute(text(raised))))
    app.state.rules["GET", "/fail"] = permissions.PUBLIC
    answer = PageClient(app, raise_server_exceptions=False).get("/fail")
    assert answer.status_code == 500 and answer.json()["reference"]


def test_every_error_has_a_status() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, GuardiaError):
            assert web_errors.status_of(kind.__new__(kind)) in range(400, 600)


@pytest.mark.slow
def test_unknown_addresses_and_methods_in_korean(anonymous: PageClient) -> None:
    assert "찾을 수 없습니다" in anonymous.get_page("/nowhere").text
    assert anonymous.get("/nowhere").json()["message"].startswith("주소가 변경되었거나")
    wrong = anonymous.put("/login", headers=PAGE)
    assert wrong.status_code == 405
    assert "지원하지 않는 요청입니다" in wrong.text
    assert anonymous.put("/healthz").json()["message"]


def test_a_form_without_required_fields_names_them(sign_in_as: Callable[[str], PageClient]) -> None:
    browser = sign_in_as("lead")
    path = "/issues/1/tasks/1/decision"
    page = browser.submit_form(path)
    assert page.status_code == 422
    assert "필수 항목입니다" in page.text
    assert "승인 또는 반려" in page.text
    data = browser.post(path, data={"csrf": browser.token(), "reason": "가" * 1001})
    found = {(e["field"], e["code"]) for e in data.json()["errors"]}
    assert found == {
        ("decision", "missing_field"),
        ("plan_hash", "missing_field"),
        ("reason", "invalid"),
    }
    assert all(set(e) == {"resource", "field", "code", "message"} for e in data.json()["errors"])


def test_a_fragment_that_needs_a_sign_in_redirects_the_whole_page(anonymous: PageClient) -> None:
    answer = anonymous.get("/issues", headers={"hx-request": "true"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


@pytest.mark.slow
def test_errors_are_in_english_for_english_readers(anonymous: PageClient) -> None:
    assert "Not found" in anonymous.get_page("/nowhere?lang=en").text
