"""For any answer of a server, a tool reports findings within its schema or an unreadable answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.errors import CommandFailed, Unreadable
from guardia.tools.catalog import CATALOG
from guardia.tools.findings import FindingsModel, require_bounded
from guardia.tools.output import Output, decode

DEEP = "[" * 30_000 + "]" * 30_000
DEEP_OBJECT = '{"waiting":' * 2000 + "1" + "}" * 2000
DIGITS = "9" * 40
ROOT: dict[str, Any] = {
    "pid": 238,
    "backend_start": "2026-11-23T15:40:00.000000Z",
    "state": "active",
    "user": "app",
    "application": "",
    "xact_seconds": 12.5,
    "query": "select 1",
    "blocked": 2,
}


def locks(**changed: Any) -> str:
    """Return an answer to `database.locks` whose only root has these changes."""
    return json.dumps({"waiting": 2, "roots": [ROOT | changed], "waiters": []})


WELL_FORMED = {
    "database.locks": locks(),
    "database.activity": '{"sessions":1,"active":1,"idle_in_transaction":0,"longest_seconds":0}',
    "database.session": '{"present":false,"state":null}',
    "database.terminate_session": '{"acted":true}',
    "service.health": "port_open 1\nasked 1000000000\nanswered 1005000000\nHTTP/1.1 200 OK\n\n",
    "service.processes": "now 1780000000\n 238 S 60 00:00:01 java -jar app.jar\n",
    "service.log_level": "INFO\n",
    "deploy.current": "3.1.0\n3.1.0\n3.1.1\n",
    "host.load": "load 0.5 0.4\ncores 4\nMemTotal: 100 kB\nMemAvailable: 40 kB\n",
    "logs.tail": "a\nb\n",
    "security.auth_failures": "  3 10.0.0.1\n",
}
HOSTILE = {
    "nothing": "",
    "blanks": " \n\n \t\n",
    "deep list": DEEP,
    "deep object": DEEP_OBJECT,
    "null": "null",
    "a list": "[]",
    "a text": '"x"',
    "another object": '{"a": 1}',
    "infinity": '{"sessions":1e999,"active":1,"idle_in_transaction":0,"longest_seconds":1e999}',
    "no number": '{"sessions":NaN,"active":NaN,"idle_in_transaction":0,"longest_seconds":NaN}',
    "nulls": '{"sessions":null,"active":null,"idle_in_transaction":null,"longest_seconds":null}',
    "long number": f'{{"present": {DIGITS}, "acted": {DIGITS}, "state": {DIGITS}}}',
    "number too long to read": "9" * 5000,
    "negative": '{"sessions":-1,"active":-1,"idle_in_transaction":-1,"longest_seconds":-1}',
    "texts for numbers": '{"sessions":"1","active":"1","idle_in_transaction":"1"}',
    "dates beyond range": "now 99999999999999999\n 1 S 1 00:00:01 x\n",
    "processes of no time": "now x\n 1 S 1 00:00:01 x\n",
    "lone surrogate": '{"present": true, "state": "\\ud800"}',
    "marks": "\x1e0123456789abcdef:0:1:0:0:0\x1e",
    "half a line": "now 17",
    "HTML": "<html><body>502 Bad Gateway</body></html>",
    "shell error": "bash: psql: command not found",
    "binary": bytes(range(256)).decode("latin-1"),
    "full-width digits": "port_open \uff11\nasked \uff11\nanswered \uff11\nHTTP/1.1 \uff12 OK\n\n",
    "load without memory": "load 1 1\ncores 1\n",
    "load of infinity": "load 1e999 NaN\ncores 0\nMemTotal: 0 kB\nMemAvailable: 0 kB\n",
    "negative memory": "load 1 1\ncores -1\nMemTotal: -5 kB\nMemAvailable: 7 kB\n",
    "certificate of the year 99999": "1\nnotAfter=Nov 23 15:40:00 99999 GMT\nsubject=x\n",
    "certificate of month 13": "1\nnotAfter=Foo 23 15:40:00 2026 GMT\nsubject=x\n",
    "long line": "x" * 900_000,
}


@pytest.mark.parametrize("tool", sorted(CATALOG))
def test_every_schema_is_bounded(tool: str) -> None:
    assert issubclass(require_bounded(tool, CATALOG[tool].findings), FindingsModel)


@pytest.mark.parametrize("tool", sorted(WELL_FORMED))
def test_a_sensible_answer_is_read(tool: str) -> None:
    assert CATALOG[tool].parse(Output(0, WELL_FORMED[tool], "", 0.1))


@pytest.mark.slow
@pytest.mark.parametrize("tool", sorted(CATALOG))
@pytest.mark.parametrize("answer", sorted(HOSTILE))
def test_a_hostile_answer_never_ends_in_an_internal_error(tool: str, answer: str) -> None:
    output = Output(0, HOSTILE[answer], "", 0.1)
    try:
        findings = CATALOG[tool].parse(output)
    except CommandFailed as error:
        assert len(str(error)) < 400
    else:
        CATALOG[tool].findings.model_validate(findings)
        json.dumps(findings, allow_nan=False).encode()


@given(tool=st.sampled_from(sorted(CATALOG)), raw=st.binary(max_size=300))
def test_random_bytes_never_end_in_an_internal_error(tool: str, raw: bytes) -> None:
    try:
        CATALOG[tool].parse(Output(0, decode(raw), "", 0.1))
    except CommandFailed:
        return


@pytest.mark.parametrize(
    "changed",
    [
        {"pid": None},
        {"pid": -1},
        {"pid": 0},
        {"pid": 2**31},
        {"pid": int(DIGITS)},
        {"pid": True},
        {"pid": "238"},
        {"pid": 238.0},
        {"backend_start": "9999999-01-01T00:00:00Z"},
        {"backend_start": "2026-13-01T00:00:00Z"},
        {"backend_start": "0001-01-01T00:00:00Z"},
        {"backend_start": ""},
        {"state": ""},
        {"state": "\u200b"},
        {"state": "x" * 101},
        {"state": ["active"]},
        {"user": {"name": "app"}},
        {"xact_seconds": float("inf")},
        {"xact_seconds": float("nan")},
        {"xact_seconds": -5},
        {"xact_seconds": "12"},
        {"query": "x" * 1001},
        {"blocked": -2},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_session_that_cannot_be_is_unreadable(changed: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="waiting"):
        CATALOG["database.locks"].parse(Output(0, locks(**changed), "", 0.1))


def test_texts_are_cleaned_of_what_json_escapes_carry() -> None:
    answer = locks(user="app\x1b[31m\u202e", query="password=hunter2 \x00")
    (root,) = CATALOG["database.locks"].parse(Output(0, answer, "", 0.1))["roots"]
    assert (root["user"], root["query"]) == ("app", "password=*** ")
