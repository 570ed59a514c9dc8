"""Foreign text is clean from where it enters: forms, addresses, the API, rooms, commands."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import typer
from board_env import LEAD, BoardEnv
from fastapi import FastAPI, Form
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_env import PageClient
from pydantic import BaseModel, TypeAdapter, ValidationError
from stored_texts import stored_texts, texts_in, unclean_texts
from typer.testing import CliRunner

from guardia.board.audit import log
from guardia.board.execution.commands import CommandResult
from guardia.board.external_agents.sessions import SessionEnd
from guardia.board.goals.planning import GoalPartDraft
from guardia.board.intake.offers import OfferAcceptance
from guardia.board.issues.receiving import NewIssue
from guardia.cli import command_permissions
from guardia.org import chart as charts
from guardia.text import clean, clean_json, trim

HOSTILE = "각\u202e가\x00\x1b[31m\u2066나\x85900101-1234567"
VERBATIM = {"password", "present", "again", "authorization"}
"""Secrets are compared to the letter, and never stored."""
Browse = Callable[[str], PageClient]
slow_fixture = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sendable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


def routes(app: Any) -> Iterator[APIRoute]:
    """Every route of an application."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner)
        elif isinstance(route, APIRoute):
            yield route


def dependants(dependant: Any) -> Iterator[Any]:
    yield dependant
    for inner in dependant.dependencies:
        yield from dependants(inner)


def passed(kind: Any) -> Any:
    """Return what a type makes of a hostile text, alone or in a list; `None` if it refuses it."""
    adapter = TypeAdapter[Any](kind)
    for given_value in (HOSTILE, [HOSTILE], {HOSTILE: HOSTILE}):
        try:
            return adapter.validate_python(given_value)
        except ValidationError:
            continue
    return None


def model_fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Each field of a model and of the models in it, with its type."""
    for name, field in model.model_fields.items():
        kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        inner = [i for i in get_args(field.annotation) if isinstance(i, type)]
        nested = [i for i in inner if issubclass(i, BaseModel)]
        if nested:
            yield from model_fields(nested[0])
        else:
            yield f"{model.__name__}.{name}", kind


def entrances(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """Each field by which text comes to the application, with its type."""
    for route in routes(app):
        for dependant in dependants(route.dependant):
            for field in (
                *dependant.query_params,
                *dependant.body_params,
                *dependant.path_params,
                *dependant.header_params,
            ):
                kind, name = field.field_info.annotation, f"{route.path} {field.name}"
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    yield from model_fields(kind)
                elif field.name not in VERBATIM:
                    yield name, Annotated[kind, field.field_info]


def unclean_entrances(app: FastAPI) -> list[str]:
    return [
        name
        for name, kind in entrances(app)
        if (found := passed(kind)) is not None and clean_json(found) != found
    ]


@pytest.mark.slow
def test_every_field_of_every_route_gives_clean_text(app: FastAPI) -> None:
    assert unclean_entrances(app) == []
    texts = {name for name, kind in entrances(app) if passed(kind) is not None}
    assert len(texts) > 50
    assert {"/kill reason", "/goals/{sr_id}/answers words", "TextBody.text", "ToolUse.args"} < texts


def test_a_field_that_lets_hidden_characters_in_is_found(app: FastAPI) -> None:
    def plant(word: Annotated[str, Form()] = "") -> str:
        return word

    app.post("/planted")(plant)
    assert unclean_entrances(app) == ["/planted word"]


BROUGHT = {
    "a channel's request": NewIssue(
        text=HOSTILE,
        channel="web",
        sender=HOSTILE,
        title=HOSTILE,
        room=HOSTILE,
        account=HOSTILE,
        external_id=HOSTILE,
        talk=(HOSTILE,),
        origin={HOSTILE: [HOSTILE]},
        triage={HOSTILE: {HOSTILE: HOSTILE}},
    ),
    "a pressed button": OfferAcceptance(
        channel="web", message_id=1, account=HOSTILE, sender=HOSTILE
    ),
    "a part of a goal": GoalPartDraft(
        0, HOSTILE, "REQUEST", "DB", "P3", reasons=(HOSTILE,), question=HOSTILE
    ),
    "a server's answer": CommandResult(True, {HOSTILE: [HOSTILE, 1.5]}, HOSTILE, 1),
    "a program's output": SessionEnd("ended", output=HOSTILE),
}


@pytest.mark.parametrize("what", BROUGHT)
def test_what_is_brought_is_clean(what: str) -> None:
    found = BROUGHT[what]
    texts = [text for f in fields(found) for text in texts_in(getattr(found, f.name))]
    assert clean(HOSTILE) in texts and texts == [clean(text) for text in texts]


@pytest.mark.slow
@given(text=sendable)
@slow_fixture
def test_any_text_in_a_form_is_stored_clean(
    web_env: BoardEnv, sign_in_as: Browse, text: str
) -> None:
    browser = _signed_in(web_env, sign_in_as)
    words = {"title": text, "body": text, "ticket": uuid.uuid4().hex}
    for path, at, form in (
        ("/issues", "/issues/new", words),
        ("/issues/1/comments", "/issues/new", {"body": text}),
        ("/goals", "/goals/new", words),
        ("/agents/db-agent/notes", "/issues/new", {"body": text}),
        ("/kill", "/issues/new", {"reason": text}),
        ("/release", "/issues/new", {"reason": text}),
        ("/release", "/issues/new", {"reason": "앞의 사유가 비어 있으면"}),
        ("/costs/raise", "/issues/new", {"target": text, "won": text, "reason": text}),
        ("/account/links", "/issues/new", {"person": "lead", "channel": text, "account": text}),
    ):
        answer = browser.submit_form(path, at, **form)
        assert answer.status_code < 500, (path, answer.text)
    # A filter that cannot be read, such as a single quotation mark, is explained with a 422.
    assert browser.get("/issues", params={"q": text}).status_code in {200, 422}
    assert unclean_texts(web_env.dsn) == []
    if kept := trim(clean(text)):
        stored = set(stored_texts(web_env.dsn))
        columns = ("sr_request.body", "comment.body", "note.body", "kill.release_reason")
        assert {(f"tb_{column}", kept) for column in columns} <= stored
    with web_env.board.database.reading() as session:
        assert log.verify_all(session).intact


_BROWSERS: dict[str, PageClient] = {}


def _signed_in(env: BoardEnv, sign_in_as: Browse) -> PageClient:
    """Return one browser for all examples of a test: signing in is slow by design."""
    if env.dsn not in _BROWSERS:
        env.create_issue()
        _BROWSERS[env.dsn] = sign_in_as("pm")
    return _BROWSERS[env.dsn]


@pytest.mark.slow
@given(text=st.text(st.characters(), min_size=1, max_size=60))
@slow_fixture
def test_any_text_from_a_room_is_stored_clean(
    web_env: BoardEnv, anonymous: PageClient, text: str
) -> None:
    for addressed in ("", "가디아"):
        post = {"token": "열쇠", "post_id": uuid.uuid4().hex, "trigger_word": addressed}
        post |= dict.fromkeys(("channel_name", "user_id", "user_name", "text"), text)
        # As JSON escapes even a lone surrogate can be sent.
        body = json.dumps(post).encode("ascii")
        headers = {"content-type": "application/json"}
        answer = anonymous.post("/intake/mattermost", content=body, headers=headers)
        assert answer.status_code < 500, answer.text
    assert unclean_texts(web_env.dsn) == []


def test_every_command_gets_clean_arguments() -> None:
    planted, seen = typer.Typer(), list[Any]()

    @planted.callback()
    def root() -> None:
        """Make the planted command a command of its own."""

    @planted.command("version")
    def version(
        word: str,
        more: Annotated[list[str] | None, typer.Option("--more")] = None,
        path: Annotated[Path | None, typer.Option("--path")] = None,
        number: Annotated[int, typer.Option("--number")] = 0,
    ) -> None:
        seen.extend([word, more, path, number])

    command_permissions.enforce_permissions(planted)
    text = HOSTILE + "\udcff"
    words = ["version", text, "--more", text, "--path", "a\u202eb", "--number", "3"]
    ended = CliRunner().invoke(planted, words)
    assert ended.exit_code == 0, ended.output
    assert seen == [clean(text), [clean(text)], Path("a\u202eb"), 3]


def test_escapes_in_a_chart_are_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "org_chart.yaml"
    shutil.copy(charts.shipped_chart_path(), path)
    text = path.read_text("utf-8")
    hidden = r'"\u202eDB \e[1m\u2066담당\u00AD"'
    title = next(line for line in text.splitlines() if line.startswith("    title: DB"))
    found = charts.parse(text.replace(title, f"    title: {hidden}", 1))
    assert "DB [1m담당\u00ad" in {agent.title for agent in found.agents}
    assert charts.fingerprint(f"{text}# \u202e") == charts.fingerprint(f"{text}# ")


def test_the_board_keeps_a_chart_in_the_form_of_its_fingerprint(env: BoardEnv) -> None:
    from guardia.board.organization import chart

    text = charts.shipped_chart_path().read_text("utf-8") + "\n# \u202e각\n"
    number = chart.apply_chart(env.board, text, f"person:{LEAD.id}")
    assert chart.apply_chart(env.board, text, f"person:{LEAD.id}") == number
    assert chart.preview(env.board, text).empty
    stored = chart.chart_text(env.board, number)
    assert stored == clean(text) and charts.fingerprint(stored) == charts.fingerprint(text)
    assert unclean_texts(env.dsn) == []
