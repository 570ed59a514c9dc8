"""Declaration of a tool."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.board.core.plan import Risk, ToolCall
from guardia.errors import ProgrammerError, Unreadable
from guardia.tools.command import Command
from guardia.tools.findings import Done, FindingsModel
from guardia.tools.output import Output
from guardia.tools.tool import Tool, ToolArgs, jmespath_literal, stdout_parser, success_findings


def declared(**changed: Any) -> Tool[ToolArgs]:
    facts: dict[str, Any] = {
        "name": "test.thing",
        "risk": Risk.READ,
        "args": ToolArgs,
        "command": lambda _args, _host: Command.of("true"),
        "parse": stdout_parser("test.thing", success_findings),
        "findings": Done,
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


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, RecursionError, OverflowError, MemoryError]
)
def test_whatever_an_answer_raises_makes_it_unreadable(error: type[Exception]) -> None:
    def fail(_text: str) -> dict[str, Any]:
        raise error("x")

    tool = declared(parse=stdout_parser("test.thing", fail))
    with pytest.raises(Unreadable, match="이상한 답"):
        tool.parse(Output(0, "이상한\n\u202e답", "", 0.0))


def test_an_answer_that_breaks_the_schema_is_unreadable() -> None:
    tool = declared(parse=stdout_parser("test.thing", lambda _: {"done": None}))
    with pytest.raises(Unreadable):
        tool.parse(Output(0, "x", "", 0.0))


class Deep(FindingsModel):
    inner: dict[str, int]


class LongText(FindingsModel):
    text: str


class AnyNumber(FindingsModel):
    number: float


class LongList(FindingsModel):
    many: list[bool]


@pytest.mark.parametrize("findings", [dict, None, Deep, LongText, AnyNumber, LongList])
def test_a_tool_without_a_bounded_schema_is_refused(findings: Any) -> None:
    with pytest.raises(ProgrammerError):
        declared(findings=findings)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_a_literal_evaluates_to_the_value(value: object) -> None:
    assert jmespath.search(jmespath_literal(value), {}) == value
