"""Every route and every command has a permission rule."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import typer
from board_env import BoardEnv, seeded_env
from fastapi import FastAPI
from page_env import PageClient, page_app

from guardia.board.site import permissions as web
from guardia.cli import app as cli
from guardia.cli import command_permissions as command
from guardia.errors import Forbidden
from guardia.i18n import LANGUAGES, catalogue
from guardia.org import access

SECURITY = Path(__file__).resolve().parents[1] / "docs" / "security.md"
BEGIN, END = "<!-- permissions: generated -->\n", "\n<!-- end -->"


@pytest.fixture
def env(database: Any) -> Any:
    with seeded_env(database.app) as found:
        yield found


def routes(app: Any) -> set[tuple[str, str]]:
    """Return method and path of everything that an application serves, mounts included."""
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            found |= routes(inner)
        else:
            methods = (getattr(route, "methods", None) or {"GET"}) - {"HEAD"}
            found |= {(method, route.path) for method in methods}
    return found


def test_every_permission_has_a_text_for_the_refusal() -> None:
    for code in LANGUAGES:
        groups = catalogue(code, "org")["right"]
        named = {f"{g}.{name}" for g, names in groups.items() for name in names}
        assert named == set(access.PERMISSIONS)


def test_every_route_has_a_rule_and_every_rule_a_route(env: BoardEnv) -> None:
    assert routes(page_app(env.board)) == set(web.ROUTES)


def test_every_rule_names_a_permission_that_some_role_has() -> None:
    assert {r for r in web.ROUTES.values() if r not in {web.PUBLIC, web.AGENT_TOKEN}} <= set(
        access.PERMISSIONS
    )
    assert (
        set(command.COMMAND_ACTIONS.values()) <= set(access.PERMISSIONS) | access.OPERATOR_ACTIONS
    )
    assert all(access.PERMISSIONS.values())


def test_a_route_without_a_rule_is_refused(env: BoardEnv) -> None:
    app: FastAPI = page_app(env.board)
    app.add_api_route("/planted", lambda: {"open": "to all"})
    assert ("GET", "/planted") in routes(app) - set(web.ROUTES)
    answer = PageClient(app, raise_server_exceptions=False).get("/planted")
    assert answer.status_code == 403 and "open" not in answer.text


def test_every_command_has_a_rule_and_every_rule_a_command() -> None:
    assert {name for name, _ in command.commands(cli)} == set(command.COMMAND_ACTIONS)


def test_a_command_without_a_rule_does_not_run() -> None:
    planted = typer.Typer()
    ran: list[int] = []
    planted.command("planted")(lambda: ran.append(1))
    command.enforce_permissions(planted)
    with pytest.raises(Forbidden):
        planted.registered_commands[0].callback()  # type: ignore[misc]
    assert not ran


def test_an_operator_cannot_decide_without_a_person() -> None:
    for action in ("approval.decide", "approval.answer", "directive.change", "delegation.set"):
        with pytest.raises(Forbidden):
            access.require_operator(action)


def test_the_document_shows_the_table_that_is_enforced() -> None:
    """`UPDATE_DOCS=1` rewrites it."""
    text = SECURITY.read_text("utf-8")
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END, 1)
    if os.environ.get("UPDATE_DOCS"):
        SECURITY.write_text(
            before + BEGIN + access.permissions_as_markdown() + END + after, "utf-8"
        )
    else:
        assert shown == access.permissions_as_markdown()
