"""The agent API keeps to its own description, whatever it is sent."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from cast import Cast
from hypothesis import HealthCheck, given, settings
from pages import application
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks as openapi
from turns import at_work

from guardia.board.desk import outside

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


def test_every_answer_is_one_that_is_described(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "REFUSALS", 10_000)
    app = application(cast.desk)
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = list(schema.include(path_regex="^/api/agent").get_all_operations())
    assert len(operations) == 13
    statuses: set[int] = set()
    for operation in (found.ok() for found in operations):
        with at_work(cast, calls=10_000) as found:

            @BOUNDED
            @given(case=operation.as_strategy())
            def answered(case: Any) -> None:
                case.path_parameters["task_id"] = found.hold.task_id  # noqa: B023
                case.headers = {"authorization": f"Bearer {found.token}"}  # noqa: B023
                answer = case.call()
                statuses.add(answer.status_code)
                case.validate_response(answer, checks=CHECKS)

            answered()
    assert {200, 204, 401, 404, 409, 422} <= statuses, statuses
