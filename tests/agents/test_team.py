"""A task whose worker dies at any moment of a step goes on with the next one."""

from __future__ import annotations

from typing import Any

import pytest
from cast import Cast, assignment
from langgraph.checkpoint.memory import InMemorySaver
from psycopg import OperationalError

from guardia.agents.team import Team
from guardia.board.desk import Hold, view, waking, work
from guardia.board.lifecycle import State
from guardia.org.chart import AgentEntry
from guardia.tools.execute import Gate


class Nothing:
    """A library in which nothing is found: the task ends with people after two steps."""

    def find(self, *_: object, **__: object) -> list[Any]:
        return []


class Dying(InMemorySaver):
    """Keeps what steps have written, and dies at one of the checkpoints that follow them."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left = at

    def put(self, *given: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OperationalError("the connection is lost")
        return super().put(*given, **more)


def next_hold(cast: Cast) -> Hold:
    begun = waking.begin(cast.desk, "db-agent")
    assert begun is not None
    hold = waking.claim(cast.desk, begun)
    assert hold is not None
    return hold


@pytest.mark.parametrize("at", [1, 2, 3])
def test_it_ends_wherever_its_first_worker_died(cast: Cast, at: int) -> None:
    sr_id = cast.received()
    work.parse(cast.desk, cast.hold("dispatcher"), assignment("MOF-DB-01"))
    saver, library, hands = Dying(at), Nothing(), None
    team = Team(cast.desk, Gate(cast.desk, hands), library, saver)  # type: ignore[arg-type]
    agent = AgentEntry(id="db-agent", title="DB 전문가", duty="operate", skills=("DB",))
    with pytest.raises(OperationalError):
        team.work(agent, next_hold(cast))
    assert saver.left == 0
    team.work(agent, next_hold(cast))
    assert view.issue(cast.desk, sr_id).state is State.MANUAL
