"""Agents that call a chat model in real beats: calls are counted, refused and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from board_env import LEAD, PM
from fake_chat import GOOD_ANSWER
from model_server import MODEL, CannedReply, ModelServer
from sqlalchemy import select

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Comment
from guardia.board.core.run_model import Run
from guardia.board.costs import budgets
from guardia.board.costs.model import CostDay, ModelCall
from guardia.board.goals import decisions, planning
from guardia.board.goals import view as goal_view
from guardia.board.issues import view
from guardia.board.organization import chart as organization_chart
from guardia.board.runs import ticks
from guardia.heartbeat.beat import beat
from guardia.org import chart

NAMED = "MOF-DB-01 쿼리가 너무 느려요"
OTHER, THIRD = "MOF-DB-01 점검 부탁드립니다", "MOF-DB-01 상태 확인해 주세요"
"""Requests, which are no further reports of the incident."""
EMBEDDED = "brain: {kind: embedded}"


@pytest.fixture
def agents_env(database: Any, tmp_path: Path) -> Iterator[AgentsEnv]:
    with open_agents_env(database.owner, database.app, tmp_path) as found:
        yield found


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        running.replies(CannedReply({**GOOD_ANSWER, "servers": ["MOF-DB-01"]}))
        yield running


def apply_chat_chart(agents_env: AgentsEnv, server: ModelServer, budget: str = "{}") -> None:
    """Apply a chart whose dispatcher calls `server`, under a budget."""
    brain = f"brain: {{kind: chat, base_url: '{server.url}', model: {MODEL}, timeout: 300}}"
    text = chart.shipped_chart_path().read_text("utf-8")
    text = text.replace(EMBEDDED, f"{brain}\n    budget: {budget}", 1)
    text += f"\nprices: {{{MODEL}: {{input: 1000, output: 1000}}}}\n"
    organization_chart.apply_chart(agents_env.env.board, text, Actor.operator("test"))


def dispatch(agents_env: AgentsEnv) -> str | None:
    return beat(agents_env.env.board, lambda: agents_env.team, "dispatcher")


def calls(agents_env: AgentsEnv) -> list[ModelCall]:
    with agents_env.env.board.database.reading() as session:
        return list(session.scalars(select(ModelCall).order_by(ModelCall.call_id)))


def state(agents_env: AgentsEnv, sr_id: int) -> State:
    return view.issue(agents_env.env.board, sr_id).state


@pytest.mark.slow
def test_a_decision_is_paid_for_and_an_idle_beat_is_not(
    agents_env: AgentsEnv, server: ModelServer
) -> None:
    apply_chat_chart(agents_env, server)
    sr_id = agents_env.env.create_issue(text=NAMED)
    assert dispatch(agents_env) == "delegated"
    (call,) = calls(agents_env)
    assert (call.outcome, call.sr_id, call.model) == ("used", sr_id, MODEL)
    assert (call.tokens_in, call.tokens_out, call.cost) == (30, 12, 42_000)
    with agents_env.env.board.database.reading() as session:
        assert session.get_one(Run, call.run_id).tokens == 42
        paid = session.scalars(select(CostDay).where(CostDay.model == MODEL)).one()
        assert (paid.calls, paid.tokens_in, paid.cost) == (1, 30, 42_000)
    for moment in range(5):
        at = agents_env.env.board.clock().replace(microsecond=moment)
        ticks.tick(agents_env.env.board, "dispatcher", at)
        dispatch(agents_env)
    assert len(server.paths) == len(calls(agents_env)) == 1
    beat(agents_env.env.board, lambda: agents_env.team, "db-agent")
    assert len(calls(agents_env)) == 1, "the embedded brain costs nothing"


@pytest.mark.slow
def test_the_embedded_brain_takes_over_when_the_budget_is_used_up(
    agents_env: AgentsEnv, server: ModelServer
) -> None:
    apply_chat_chart(agents_env, server)
    agents_env.env.create_issue(text=NAMED)
    dispatch(agents_env)
    limit = calls(agents_env)[0].most_in + calls(agents_env)[0].most_out
    apply_chat_chart(agents_env, server, f"{{tokens: {limit}}}")
    sr_id = agents_env.env.create_issue(text=OTHER)
    assert dispatch(agents_env) == "delegated"
    assert state(agents_env, sr_id) is State.PARSED
    assert [c.outcome for c in calls(agents_env)] == ["used", "refused"]
    assert len(server.paths) == 1, "nothing was sent"
    with agents_env.env.board.database.reading() as session:
        text = " ".join(session.scalars(select(Comment.body).where(Comment.sr_id == sr_id)))
    assert "예산이 소진되었습니다" in text


@pytest.mark.slow
def test_an_agent_paused_by_its_budget_resumes_its_waiting_work(
    agents_env: AgentsEnv, server: ModelServer
) -> None:
    apply_chat_chart(agents_env, server)
    agents_env.env.create_issue(text=NAMED)
    dispatch(agents_env)
    limit = calls(agents_env)[0].most_in + calls(agents_env)[0].most_out
    apply_chat_chart(agents_env, server, f"{{tokens: {limit}, on_exhausted: pause}}")
    waiting = [agents_env.env.create_issue(text=text) for text in (OTHER, THIRD)]
    assert dispatch(agents_env) == "stale"
    assert dispatch(agents_env) is None, "it is paused"
    assert [state(agents_env, sr) for sr in waiting] == [State.RECEIVED] * 2
    board = agents_env.env.board
    assert budgets.raise_cap(board, PM, "agent", "dispatcher", tokens=10**6, reason="계속")
    assert dispatch(agents_env) == "delegated"
    assert [state(agents_env, sr) for sr in waiting] == [State.PARSED] * 2
    assert len(server.paths) == 3


@pytest.mark.slow
def test_a_goal_is_planned_by_the_model_and_again_after_an_answer(
    agents_env: AgentsEnv, server: ModelServer
) -> None:
    apply_chat_chart(agents_env, server)
    chosen = {"category": "DB", "action_type": "HEALTH_CHECK", "server": "MOF-DB-01"}
    unclear = {"category": "WAS", "action_type": "NONE", "server": "NONE"}
    pieces = [{"title": "모든 서버 DB 점검", **chosen}, {"title": "WAS 점검", **unclear}]
    server.replies(
        CannedReply({"reason": "점검입니다.", "sure": "YES", "pieces": pieces}),
        CannedReply(status=400),
    )
    board = agents_env.env.board
    sr_id = planning.create_goal(
        board, LEAD, "2030-01-02까지 MOF-DB-01과 기재부 시스템 안정화", channel="web"
    )
    assert dispatch(agents_env) == "goal"
    page = goal_view.get_goal(board, LEAD, sr_id)
    first, second = page.parts
    assert (first.server, first.text, first.question) == ("MOF-DB-01", "모든 서버 DB 점검", "")
    assert second.question and {str(p.due_on) for p in page.parts} == {"2030-01-02"}
    assert page.thought_by == f"chat:{MODEL}"
    (call,) = calls(agents_env)
    assert (call.question, call.outcome, call.sr_id, call.tokens_in) == (
        "divide",
        "used",
        sr_id,
        30,
    )
    assert call.prompt_version and call.model == MODEL
    decisions.answer(board, LEAD, sr_id, {1: "MOF-WAS-01 상태를 점검해 주세요"})
    assert dispatch(agents_env) == "goal"
    again = goal_view.get_goal(board, LEAD, sr_id).parts
    assert [(p.server, p.question) for p in again] == [("MOF-DB-01", ""), ("MOF-WAS-01", "")]
    assert [c.question for c in calls(agents_env)] == ["divide", "triage"]
