"""Declaration of a tool."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.plan import Risk, ToolCall
from guardia.errors import CommandFailed, ProgrammerError
from guardia.tools.command import Command
from guardia.tools.output import Output
from guardia.tools.tool import Tool, ToolArgs, jmespath_literal, stdout_parser, success_findings


def declared(**changed: Any) -> Tool[ToolArgs]:
    facts: dict[str, Any] = {
        "name": "test.thing",
        "risk": Risk.READ,
        "args": ToolArgs,
        "command": lambda _args, _host: Command.of("true"),
        "parse": stdout_parser("test.thing", success_findings),
    }
    return Tool(**(facts | changed))


def undo(_args: ToolArgs) -> ToolCall:
    return ToolCall(tool="test.thing")


class TestUndo:
    def test_a_read_needs_no_undo(self) -> None:
        assert declared().undo is None

    def test_a_read_may_have_no_undo(self) -> None:
        with pytest.raises(ProgrammerError):
            declared(undo=undo)
        with pytest.raises(ProgrammerError):
            declared(irreversible="tools.x")

    @pytest.mark.parametrize("risk", [r for r in Risk if r is not Risk.READ])
    def test_a_change_has_exactly_one_of_undo_and_reason(self, risk: Risk) -> None:
        assert declared(risk=risk, undo=undo)
        assert declared(risk=risk, irreversible="tools.x")
        with pytest.raises(ProgrammerError):
            declared(risk=risk)
        with pytest.raises(ProgrammerError):
            declared(risk=risk, undo=undo, irreversible="tools.x")


@pytest.mark.parametrize("name", ["", "thing", "Test.thing", "test.thing.more", "test.thing;x"])
def test_a_name_has_a_family_and_a_verb(name: str) -> None:
    with pytest.raises(ProgrammerError):
        declared(name=name)


@pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, TypeError])
def test_unreadable_output_is_a_failed_command(error: type[Exception]) -> None:
    def fail(_text: str) -> dict[str, Any]:
        raise error("x")

    with pytest.raises(CommandFailed, match="형식"):
        stdout_parser("test.thing", fail)(Output(0, "", "", 0.0))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_a_literal_evaluates_to_the_value(value: object) -> None:
    assert jmespath.search(jmespath_literal(value), {}) == value
