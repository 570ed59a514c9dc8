"""Every text that a grammar-constrained decoder may write for a schema is a usable answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_chat import DIRECTORY
from hypothesis import HealthCheck, given, settings
from json_grammar import emitted

from guardia.agents.brain.chat import parsing, prompts
from guardia.agents.brain.goals.scope import goal_scope
from guardia.board.command.openings import Openings
from guardia.errors import ModelError
from guardia.org.directory import Directory, Host, InstitutionInfo

ODD = Directory(
    institutions=(InstitutionInfo(id='Q"\\', name="따옴표원"),),
    servers=(Host(server_id='Q"\\-DB-01\n', institution='Q"\\', kind="DB", aliases=("따옴표",)),),
)
PROMPTS = {
    "triage": prompts.triage_prompt("기재부 운영DB 느려요", DIRECTORY),
    "odd names": prompts.triage_prompt("따옴표 느려요", ODD),
    "divide": prompts.goal_prompt("기재부 점검", goal_scope("기재부 점검", DIRECTORY)),
    "command": prompts.command_prompt(
        "#31 처리 부탁",
        Openings(("resume", "run_action", "none"), (31,), ("MOF-DB-01",), ("BACKUP",)),
    ),
    "compose": prompts.composed_prompt("인증서 갱신", ["만료 30일 전에 갱신합니다.", "둘째"]),
}
SCHEMAS: dict[str, dict[str, Any]] = {
    **{name: prompt.schema for name, prompt in PROMPTS.items()},
    "choose": parsing.choice_schema(["db-lock-chain"]),
}
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMAS)
def test_what_a_decoder_may_write_is_json(name: str) -> None:
    @given(emitted(SCHEMAS[name]))
    @quick
    def written(text: str) -> None:
        assert list(json.loads(text)) == SCHEMAS[name]["required"]

    written()


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMPTS)
def test_what_a_decoder_may_write_can_be_parsed(name: str) -> None:
    @given(emitted(PROMPTS[name].schema))
    @quick
    def written(text: str) -> None:
        try:
            PROMPTS[name].parse(text)
        except ModelError as error:
            # Not sure, not Korean, or a part of a command is missing.
            assert name in ("divide", "compose", "command"), (text, error.detail)

    written()


def test_a_pattern_that_permits_a_quote_is_found() -> None:
    @given(emitted({"type": "string", "pattern": "^.{1,160}$"}))
    @settings(max_examples=2000, deadline=None, database=None, report_multiple_bugs=False)
    def written(text: str) -> None:
        json.loads(text)

    with pytest.raises(json.JSONDecodeError):
        written()


def test_every_schema_of_a_decoder_is_tested_here() -> None:
    built = {n for n in vars(parsing) if n.endswith("_schema") and not n.startswith("_")}
    assert built == {
        "triage_schema",
        "command_schema",
        "division_schema",
        "choice_schema",
        "composed_schema",
    }
