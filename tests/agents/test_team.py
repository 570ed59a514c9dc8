"""A task whose worker dies at any moment of a step is continued by the next worker."""

from __future__ import annotations

from typing import Any

import pytest
from board_env import LEAD, BoardEnv, assignment
from langgraph.checkpoint.memory import InMemorySaver
from psycopg import OperationalError

from guardia.agents.team import Team
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.claims import Claim
from guardia.board.core.lifecycle import State
from guardia.board.execution import assignments, view
from guardia.board.issues import view as issue_view
from guardia.board.runs import beats
from guardia.errors import Stale
from guardia.org.chart_model import AgentEntry
from guardia.tools.gate import Gate

AGENT = AgentEntry(id="db-agent", title="DB 전문가", duty="operate", skills=("DB",))


class Nothing:
    """A library without results: the task goes to people after two steps."""

    def find(self, *_: object, **__: object) -> list[Any]:
        return []


class Dying(InMemorySaver):
    """Keeps the writes of steps, and dies at one of the checkpoints that follow."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def put(self, *given: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OperationalError("the connection is lost")
        return super().put(*given, **more)


class Overruled(InMemorySaver):
    """A person acts between the step that ended the task and its checkpoint, which is refused."""

    def __init__(self, env: BoardEnv, task_id: int) -> None:
        super().__init__()
        self.env, self.task_id = env, task_id

    def put(self, *given: Any, **more: Any) -> Any:
        if view.task(self.env.board, self.task_id).state is State.MANUAL:
            directives.issue_directive(
                self.env.board, LEAD, self.task_id, DirectiveRequest("return")
            )
            raise Stale(what="SR")
        return super().put(*given, **more)


def next_claim(env: BoardEnv) -> Claim:
    begun = beats.begin(env.board, "db-agent")
    assert begun is not None
    claim = beats.claim_task(env.board, begun)
    assert claim is not None
    return claim


def team_with(env: BoardEnv, saver: InMemorySaver) -> Team:
    library, transport = Nothing(), None
    return Team(env.board, Gate(env.board, transport), library, saver)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.slow
def test_it_ends_wherever_its_first_worker_dies(env: BoardEnv, at: int) -> None:
    sr_id = env.create_issue()
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    saver = Dying(at)
    team = team_with(env, saver)
    with pytest.raises(OperationalError):
        team.work(AGENT, next_claim(env))
    assert saver.left == 0
    team.work(AGENT, next_claim(env))
    assert issue_view.issue(env.board, sr_id).state is State.MANUAL


@pytest.mark.slow
def test_a_task_that_a_person_takes_right_after_its_end_has_ended(
    env: BoardEnv,
) -> None:
    env.create_issue()
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    claim = next_claim(env)
    done = team_with(env, Overruled(env, claim.task_id)).work(AGENT, claim)
    assert done.outcome == State.MANUAL
    assert view.task(env.board, claim.task_id).state is State.PARSED
