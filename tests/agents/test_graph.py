"""Shape of the graphs: the next step in every state, and where they suspend."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from guardia.agents import graph

NODES = {"recall", "diagnose", "decide", "approval", "apply", "confirm", "undo", "report"}
EDGES = {
    "recall": {"diagnose", "report"},
    "diagnose": {"decide"},
    "decide": {"approval", "diagnose", "report"},
    "approval": {"apply"},
    "apply": {"confirm", "undo", "report"},
    "confirm": {"report", "undo"},
    "undo": {"report"},
    "report": set(),
}
STATES = [
    {"ending": ending, "rule": rule, "failed_at": failed}
    for ending, rule, failed in itertools.product(
        (None, "completed", "failed", "manual", "emergency"), (None, "hung"), (None, 0, 2)
    )
]


def after(node: str, state: dict[str, Any]) -> set[str]:
    """Return the next step after `node` leaves `state`."""
    operate = graph.operate_graph(InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    written = {name: value for name, value in state.items() if value is not None}
    operate.update_state(config, written, as_node=node)
    return set(operate.get_state(config).next)


def test_steps_of_the_specialist() -> None:
    operate = graph.operate_graph(InMemorySaver())
    assert set(operate.builder.nodes) == NODES
    operate.update_state({"configurable": {"thread_id": "one"}}, {"text": "?"}, as_node="__start__")
    assert operate.get_state({"configurable": {"thread_id": "one"}}).next == ("recall",)


@pytest.mark.slow
@pytest.mark.parametrize("node", sorted(NODES))
def test_each_step_leads_as_drawn(node: str) -> None:
    led = [after(node, state) for state in STATES]
    assert all(len(targets) == (node != "report") for targets in led)
    assert set().union(*led) == EDGES[node]


def test_every_step_is_reached_and_the_report_is_the_only_exit() -> None:
    reached, found = {"recall"}, {"recall"}
    while found:
        found = set().union(*(EDGES[node] for node in found)) - reached
        reached |= found
    assert reached == NODES
    assert [node for node, targets in EDGES.items() if not targets] == ["report"]


def test_only_an_approval_leads_to_a_change() -> None:
    assert {node for node, targets in EDGES.items() if "apply" in targets} == {"approval"}


@pytest.mark.parametrize("ending", ["completed", "failed", "manual", "emergency"])
def test_an_ending_without_a_failure_is_reported_at_once(ending: str) -> None:
    for node in ("recall", "decide", "apply", "confirm"):
        assert after(node, {"ending": ending, "rule": "hung"}) == {"report"}


def test_an_observed_plan_ends_the_graph_because_people_have_the_task() -> None:
    assert after("decide", {"ending": "observed", "rule": "hung"}) == set()


def test_a_failed_change_is_undone_even_with_an_ending() -> None:
    for node in ("apply", "confirm"):
        assert after(node, {"failed_at": 0, "ending": "completed"}) == {"undo"}


def planned(saver: InMemorySaver, *, waived: bool) -> Any:
    """Return a thread whose plan has just been filed."""
    operate = graph.operate_graph(saver)
    config = {"configurable": {"thread_id": "one"}}
    operate.update_state(config, {"rule": "hung", "waived": waived}, as_node="decide")
    return operate, config


def test_it_is_suspended_until_people_decide_even_across_a_restart() -> None:
    saver = InMemorySaver()
    operate, config = planned(saver, waived=False)
    operate.invoke(None, config)
    asleep = operate.get_state(config)
    assert asleep.next == ("approval",)
    assert [i.value for i in asleep.interrupts] == ["approval"]
    restarted = graph.operate_graph(saver)
    restarted.invoke(Command(resume=True), config, interrupt_before=["apply"])
    assert restarted.get_state(config).next == ("apply",)


def test_a_waived_plan_continues_at_once() -> None:
    operate, config = planned(InMemorySaver(), waived=True)
    operate.invoke(None, config, interrupt_before=["apply"])
    assert operate.get_state(config).next == ("apply",)


def test_steps_of_the_dispatcher() -> None:
    steps = graph.dispatch_graph().get_graph()
    assert set(steps.nodes) == {"__start__", "classify", "delegate", "__end__"}
    assert {(e.source, e.target) for e in steps.edges} == {
        ("__start__", "classify"),
        ("classify", "delegate"),
        ("delegate", "__end__"),
    }
