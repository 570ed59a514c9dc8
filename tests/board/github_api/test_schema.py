"""Fuzz tests: every route below `/api/v3` is described in full and answers as described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from board_env import BoardEnv
from github_env import token_of
from hypothesis import HealthCheck, given, settings
from page_env import page_app
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi

CHECKS = [
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
KNOWN = {"owner": "MOF", "repo": "all", "number": 1, "server_id": "MOF-DB-01", "login": "lead"}
NEEDS_A_WORKER = "/api/v3/search/documents"
"""Answers 503 here, where no worker runs."""
ERRORS = {"400", "401", "403", "404", "409", "422", "429", "503"}


@pytest.fixture
def app(web_env: BoardEnv, tmp_path: Path) -> Any:
    settings = {"api_calls_per_token": 1_000_000, "requests_per_sender": 1_000_000}
    return page_app(web_env.board, home=tmp_path / "home", **settings)


@pytest.mark.slow
def test_every_route_has_a_summary_and_its_errors(app: Any) -> None:
    paths = app.openapi()["paths"]
    operations = [
        (path, method, operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith("/api/v3/")
    ]
    assert len(operations) > 70
    for path, method, operation in operations:
        assert operation.get("summary"), (method, path)
        assert operation.get("description"), (method, path)
        assert set(operation["responses"]) >= ERRORS, (method, path)
        assert any(status.startswith("2") for status in operation["responses"]), (method, path)


@pytest.mark.slow
def test_every_response_conforms_to_the_description(app: Any, web_env: BoardEnv) -> None:
    web_env.create_issue(institution="MOF")
    token = token_of(web_env, "admin")
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = schema.include(path_regex="^/api/v3").get_all_operations()
    statuses: set[int] = set()
    for operation in [one.ok() for one in found]:
        _fuzz(operation, token, statuses)
    assert {200, 201, 204, 404, 422} <= statuses, statuses


def _fuzz(operation: Any, token: str, statuses: set[int]) -> None:
    turns = iter(range(1_000_000))

    @BOUNDED
    @given(case=operation.as_strategy())
    def answered(case: Any) -> None:
        # Every third time wholly random, so that unknown names are tried too.
        if next(turns) % 3:
            case.path_parameters |= {k: v for k, v in KNOWN.items() if k in case.path_parameters}
        case.headers = {"authorization": f"Bearer {token}"}
        answer = case.call()
        statuses.add(answer.status_code)
        is_excused = answer.status_code == 503 and operation.path == NEEDS_A_WORKER
        case.validate_response(
            answer, checks=CHECKS if is_excused else [not_a_server_error, *CHECKS]
        )

    answered()
