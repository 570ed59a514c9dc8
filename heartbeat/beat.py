"""One waking of one agent: take the reasons, claim, do the next steps, let go."""

from __future__ import annotations

import logging
from collections.abc import Callable

from guardia.agents.team import Team
from guardia.board.desk import Desk, auditing, orders, waking
from guardia.board.desk.waking import Waking
from guardia.db.engine import AWAY
from guardia.db.jobs import Attempt
from guardia.errors import ProgrammerError
from guardia.org import revisions
from guardia.org.chart import AgentEntry

log = logging.getLogger(__name__)


def beat(
    desk: Desk,
    team: Team,
    agent_id: str,
    *,
    attempt: Attempt | None = None,
    closing: Callable[[], bool] = lambda: False,
) -> str | None:
    """Run one beat; ``None`` where there was no reason for one. Idle costs one short query.

    ``attempt`` is the worker's turn at this agent's beats, which it may lose; once ``closing``, the
    beat begins nothing more and what is left goes to another worker.
    """
    begun = waking.begin(desk, agent_id, attempt)
    if begun is None:
        return None
    outcome, task_id, steps = "error", None, 0
    try:
        entry = _entry(desk, agent_id)
        if entry.duty == "audit":
            outcome = _audit(desk, begun)
        else:
            outcome, task_id, steps = _work(desk, team, entry, begun, closing)
    except AWAY:
        # Not closed: the next beat finds it lost, and takes its reasons and its task again.
        raise
    except Exception:
        waking.end(desk, begun, outcome, task_id=task_id, steps=steps)
        raise
    waking.end(desk, begun, outcome, task_id=task_id, steps=steps)
    if closing():
        waking.hand_back(desk, agent_id)
    return outcome


def _work(
    desk: Desk, team: Team, entry: AgentEntry, begun: Waking, closing: Callable[[], bool]
) -> tuple[str, int | None, int]:
    """All tasks that wait for this agent, each at most once a beat: first what people have
    ordered to be undone, then the most urgent."""
    outcome, last, steps = "idle", None, 0
    seen: frozenset[int] = frozenset()
    obeyed: frozenset[int] = frozenset()
    while not closing():
        if (order := orders.claim(desk, begun, obeyed)) is not None:
            hold, done = order.hold, team.obey(order)
            obeyed |= {hold.task_id}
        elif (found := waking.claim(desk, begun, seen)) is not None:
            hold, done = found, team.work(entry, found)
            seen |= {hold.task_id}
        else:
            return outcome, last, steps
        log.info("%s task %s: %s", entry.id, hold.task_id, done.outcome)
        outcome, last, steps = done.outcome, hold.task_id, steps + done.steps
    return outcome, last, steps


def _audit(desk: Desk, begun: Waking) -> str:
    issue = begun.issues[-1] if begun.issues else None
    daily = auditing.DAILY in begun.reasons
    found = auditing.verify(desk, f"agent:{begun.agent_id}", issue, daily=daily)
    return "intact" if found.intact else "broken"


def _entry(desk: Desk, agent_id: str) -> AgentEntry:
    with desk.database.reading() as session:
        running = revisions.running(session)
    found = next((a for a in running.agents if a.id == agent_id), None)
    if found is None:
        raise ProgrammerError(why=f"agent {agent_id} is active but not in the chart")
    return found
