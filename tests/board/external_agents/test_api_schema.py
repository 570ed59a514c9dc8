"""Fuzz tests: the agent API conforms to its OpenAPI description for any input."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from adapter_env import AdapterRun, open_adapter_run
from board_env import BoardEnv
from hypothesis import HealthCheck, given, settings
from page_env import page_app
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi

from guardia.board.external_agents import sessions

CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
BOUNDED = settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


ENDING = ("plan", "apply", "finish", "handover", "end")
"""Calls that may end the session; each gets a session of its own."""


def fuzzed(operation: Any, found: AdapterRun, statuses: set[int]) -> None:
    """Send one operation valid and invalid input generated from its description."""

    @BOUNDED
    @given(case=operation.as_strategy())
    def answered(case: Any) -> None:
        case.path_parameters["task_id"] = found.claim.task_id
        case.headers = {"authorization": f"Bearer {found.token}"}
        answer = case.call()
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    answered()


@pytest.mark.slow
def test_every_response_conforms_to_the_description(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "REFUSALS", 10_000)
    app = page_app(env.board)
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = [o.ok() for o in schema.include(path_regex="^/api/agent").get_all_operations()]
    assert len(operations) == 13
    last = [o for o in operations if o.path.rpartition("/")[2] in ENDING]
    turns = [[o for o in operations if o not in last], *([o] for o in last)]
    statuses: set[int] = set()
    for together in turns:
        with open_adapter_run(env, calls=10_000) as found:
            for operation in together:
                fuzzed(operation, found, statuses)
    assert {200, 204, 401, 404, 409, 422} <= statuses, statuses
