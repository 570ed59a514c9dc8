"""Graphs of the agents: edges only. The steps are in `nodes`."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from guardia.agents.nodes.apply import apply
from guardia.agents.nodes.approval import approval
from guardia.agents.nodes.confirm import confirm
from guardia.agents.nodes.decide import decide
from guardia.agents.nodes.diagnose import diagnose
from guardia.agents.nodes.dispatch import DispatchState, classify, delegate
from guardia.agents.nodes.goal import GoalContext, GoalPlanState, divide_goal, propose, understand
from guardia.agents.nodes.recall import recall
from guardia.agents.nodes.report import report
from guardia.agents.nodes.undo import undo
from guardia.agents.state import AgentContext, OperateState


def operate_graph(checkpointer: BaseCheckpointSaver[Any]) -> Any:
    """Build the specialist's graph: find the runbook, diagnose, plan, ask, apply, confirm, report.

    ::

        recall -> diagnose -> decide -> approval -> apply -> confirm -> report
                     ^           |          |         |         |
                     +- next one +-> report |         +-> undo <+
                     +- changes requested --+
    """
    graph = StateGraph(OperateState, context_schema=AgentContext)
    for node in (recall, diagnose, decide, approval, apply, confirm, undo, report):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "recall")
    graph.add_conditional_edges("recall", _unless_ended("diagnose"))
    graph.add_edge("diagnose", "decide")
    graph.add_conditional_edges("decide", _after_decide)
    graph.add_conditional_edges("approval", _after_approval)
    graph.add_conditional_edges("apply", _after_change("confirm"))
    graph.add_conditional_edges("confirm", _after_change("report"))
    graph.add_edge("undo", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)


def execution_graph() -> Any:
    """Build the graph of a plan that a person wrote; after a crash it starts over.

    ::

        apply -> confirm -> report
          +-> undo <+         ^
                +-------------+
    """
    graph = StateGraph(OperateState, context_schema=AgentContext)
    for node in (apply, confirm, undo, report):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "apply")
    graph.add_conditional_edges("apply", _after_change("confirm"))
    graph.add_conditional_edges("confirm", _after_change("report"))
    graph.add_edge("undo", "report")
    graph.add_edge("report", END)
    return graph.compile()


def _unless_ended(following: str) -> Any:
    def choose(state: OperateState) -> str:
        return "report" if state.get("ending") else following

    return choose


def _after_decide(state: OperateState) -> str:
    if state.get("ending") == "observed":
        return END
    if state.get("ending"):
        return "report"
    return "approval" if state.get("rule") else "diagnose"


def _after_approval(state: OperateState) -> str:
    return "apply" if state.get("returned") is None else "diagnose"


def _after_change(following: str) -> Any:
    def choose(state: OperateState) -> str:
        if state.get("failed_at") is not None:
            return "undo"
        return "report" if state.get("ending") else following

    return choose


def dispatch_graph() -> Any:
    """Build the dispatcher's graph: classify, delegate."""
    graph = StateGraph(DispatchState, context_schema=AgentContext)
    graph.add_node("classify", classify)
    graph.add_node("delegate", delegate)
    graph.add_edge(START, "classify")
    graph.add_edge("classify", "delegate")
    graph.add_edge("delegate", END)
    return graph.compile()


def goal_graph() -> Any:
    """Build the head's graph for a goal: divide, understand, propose.

    It keeps no checkpoint: nothing has an effect until the plan is filed.
    """
    graph = StateGraph(GoalPlanState, context_schema=GoalContext)
    for node in (divide_goal, understand, propose):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "divide_goal")
    graph.add_edge("divide_goal", "understand")
    graph.add_edge("understand", "propose")
    graph.add_edge("propose", END)
    return graph.compile()
