"""The steps of a rollout's servers: their tasks, filed when their turn comes, and undone.

A server without load balancers on other servers has one step: its change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from guardia.board.control import rollback
from guardia.board.core import server_queue
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import get_issue, lock_task
from guardia.board.core.model import NOT_STARTED, ActionRun, Directive, Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import update_issue_state
from guardia.board.execution import bundles
from guardia.board.issues.receiving import open_task
from guardia.board.rollouts import policy, stages
from guardia.board.rollouts.model import Rollout, RolloutFront, RolloutServer
from guardia.board.rollouts.policy import ServerProgress, ServerState
from guardia.errors import Refused
from guardia.i18n import t, t_default
from guardia.org.model import Agent, Server

CLOCK = Actor.system("clock")
StepRow = RolloutServer | RolloutFront
"""A row with a plan, and the task that carries it out."""


@dataclass(frozen=True, slots=True)
class ServerSteps:
    """One server with the steps of its stages, in their order, and their states."""

    row: RolloutServer
    rows: tuple[tuple[StepRow, ...], ...]
    states: tuple[tuple[ServerState, ...], ...]

    @property
    def progress(self) -> ServerProgress:
        """Its batch and state as a whole."""
        return ServerProgress(self.row.server_id, self.row.batch, stages.combined(self.states))

    def chosen(self, places: Iterable[tuple[int, int]]) -> list[StepRow]:
        """Return the rows of a turn."""
        return [self.rows[stage][step] for stage, step in places]


def servers_of(session: Session, number: int) -> list[RolloutServer]:
    """Return the servers of a rollout in their order."""
    query = select(RolloutServer).where(RolloutServer.rollout_id == number)
    return list(session.scalars(query.order_by(RolloutServer.ordinal)))


def fronts_of(session: Session, number: int) -> dict[str, list[RolloutFront]]:
    """Return the steps on load balancers of other servers, by the server that is changed."""
    query = select(RolloutFront).where(RolloutFront.rollout_id == number)
    found: dict[str, list[RolloutFront]] = {}
    for one in session.scalars(query.order_by(RolloutFront.ordinal)):
        found.setdefault(one.server_id, []).append(one)
    return found


def ordered_steps(session: Session, number: int) -> list[tuple[int, StepRow]]:
    """Return all steps with their batches, each server's in the order in which they run."""
    fronts = fronts_of(session, number)
    found: list[tuple[int, StepRow]] = []
    for server in servers_of(session, number):
        own = fronts.get(server.server_id, [])
        out: list[StepRow] = [one for one in own if one.step == "out"]
        back: list[StepRow] = [one for one in own if one.step == "back"]
        found += [(server.batch, one) for one in (*out, server, *back)]
    return found


def steps_of(session: Session, number: int) -> list[ServerSteps]:
    """Return the servers of a rollout in their order, with the states of their steps."""
    servers, fronts = servers_of(session, number), fronts_of(session, number)
    every: list[StepRow] = [*servers, *(one for found in fronts.values() for one in found)]
    states = _states(session, [one.task_id for one in every if one.task_id is not None])
    result = []
    for server in servers:
        own = fronts.get(server.server_id, ())
        out = tuple(one for one in own if one.step == "out")
        back = tuple(one for one in own if one.step == "back")
        rows: list[tuple[StepRow, ...]] = [out, (server,), back]
        rows = [stage for stage in rows if stage]
        known = tuple(
            tuple(states.get(one.task_id or 0, ServerState.WAITING) for one in stage)
            for stage in rows
        )
        result.append(ServerSteps(server, tuple(rows), known))
    return result


def _states(session: Session, tasks: Sequence[int]) -> dict[int, ServerState]:
    changed = exists().where(
        ActionRun.task_id == Task.task_id, ActionRun.phase == "do", ActionRun.state != NOT_STARTED
    )
    undoing = exists().where(Directive.task_id == Task.task_id, Directive.state == "UNDOING")
    query = select(Task.task_id, Task.status, changed, undoing).where(Task.task_id.in_(tasks))
    return {
        task: policy.server_state(status, undoing=back, changed=done)
        for task, status, done, back in session.execute(query)
    }


def between_stages(
    steps: Sequence[ServerSteps], *, back: bool, stopped: bool
) -> tuple[list[StepRow], list[StepRow]]:
    """Return the steps to begin, and those to undo, of servers that are between two stages."""
    # Of the servers that are done, the rules for batches say which is rolled back first.
    between = [one for one in steps if one.progress.state is not ServerState.DONE]
    turns = [(one, stages.next_turn(one.states, back=back, stopped=stopped)) for one in between]
    begun = [row for one, turn in turns for row in one.chosen(turn.begin)]
    return begun, [row for one, turn in turns for row in one.chosen(turn.undo)]


def first_steps(steps: Iterable[ServerSteps]) -> list[StepRow]:
    """Return the steps with which servers begin."""
    return [row for one in steps for row in one.rows[0]]


def last_steps(steps: Iterable[ServerSteps]) -> list[StepRow]:
    """Return the steps with which the rollback of servers begins."""
    return [
        row for one in steps for row in one.chosen(stages.next_turn(one.states, back=True).undo)
    ]


def place_of(one: StepRow) -> str:
    """Return the server on which a step runs."""
    return one.front_id if isinstance(one, RolloutFront) else one.server_id


def begin(
    session: Session,
    row: Rollout,
    root: Task,
    chosen: Sequence[StepRow],
    now: datetime,
) -> None:
    """File the plans of steps; their agents carry them out."""
    issue = get_issue(session, root.sr_id)
    author = Actor.parse(row.created_by) or CLOCK
    for one in chosen:
        task = open_task(
            session,
            issue.sr_id,
            now,
            state=State.PARSED,
            server=place_of(one),
            agent_id=_agent_for(session, place_of(one)),
            action_type="deploy",
        )
        one.task_id = task.task_id
    session.flush()
    update_issue_state(session, issue.sr_id, now)
    for one in chosen:
        task = lock_task(session, one.task_id or 0)
        bundles.store_bundled(session, root, task, Plan.model_validate(one.plan), author, now)


def _agent_for(session: Session, server_id: str) -> str:
    """Return the agent that works on a server: one with its skill, or any that operates."""
    query = select(Agent).where(Agent.duty == "operate", Agent.state == "active")
    agents = session.scalars(query.order_by(Agent.agent_id)).all()
    if not agents:
        raise Refused(why=t("board.no_hands"))
    server = session.get(Server, server_id)
    kind = server.kind if server is not None else ""
    return min(agents, key=lambda agent: kind not in agent.skills).agent_id


def undo(
    session: Session,
    row: Rollout,
    chosen: Sequence[StepRow],
    now: datetime,
) -> None:
    """Have the agents of completed steps roll them back."""
    author = Actor.parse(row.created_by) or CLOCK
    reason = t_default("rollouts.undo_reason", number=row.rollout_id)
    tasks = [lock_task(session, number) for number in sorted(one.task_id or 0 for one in chosen)]
    for server in sorted({task.target_server or "" for task in tasks}):
        server_queue.lock_server(session, server or None)
    ordered = [
        rollback.create_directive(session, task, "rollback", author, reason, now, undo=True)
        for task in tasks
    ]
    session.flush()
    for task, directive in zip(tasks, ordered, strict=True):
        rollback.record_directive(session, directive, author, now, task.target_server)
