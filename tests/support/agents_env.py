"""A seeded board with its team of agents, run beat by beat; its servers are unreachable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from board_env import LEAD, BoardEnv, seeded_env
from full_stack import LIBRARY
from sqlalchemy import select

from guardia.agents import checkpoints
from guardia.agents.team import Team
from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.model import Task
from guardia.board.core.run_model import Wake
from guardia.board.goals import decisions, planning, view
from guardia.board.goals.view import GoalPage
from guardia.board.organization import chart
from guardia.heartbeat.beat import beat
from guardia.org import chart_edit, revisions
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import Directory, Host, InstitutionInfo
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections

MORE_SERVERS = (
    Host(server_id="MOF-WAS-02", institution="MOF", kind="WAS"),
    Host(server_id="MOE-DB-01", institution="MOE", kind="DB"),
)


@dataclass
class AgentsEnv:
    """A board with its team; no server can be reached."""

    env: BoardEnv
    team: Team
    gate: Gate

    def work(self) -> None:
        """Run beats until no agent has a wake reason."""
        while (agent := self._next()) is not None:
            beat(self.env.board, lambda: self.team, agent)

    def give(self, text: str) -> GoalPage:
        """Create a goal and plan it."""
        sr_id = planning.create_goal(self.env.board, LEAD, text, channel="web")
        self.work()
        return self.page(sr_id)

    def page(self, sr_id: int) -> GoalPage:
        """Return a goal's page as a person sees it."""
        return view.get_goal(self.env.board, LEAD, sr_id)

    def approve(self, page: GoalPage, *out: int) -> tuple[int, ...]:
        """Approve the plan of a page without the parts `out`."""
        kept = frozenset(part.ordinal for part in page.parts if part.ordinal not in out)
        bound = page.plan_hash or ""
        return decisions.approve(self.env.board, LEAD, page.sr_id, plan_hash=bound, kept=kept)

    def fire(self, agent: str) -> None:
        """Remove an agent from the chart."""
        board = self.env.board
        with board.database.reading() as session:
            text = revisions.chart_text(session, revisions.latest(session) or 0)
        chart.apply_chart(board, chart_edit.fire(text, agent), Actor.operator("test"))

    def task(self, sr_id: int) -> Task:
        """Return an issue's only task."""
        with self.env.board.database.reading() as session:
            return session.scalars(select(Task).where(Task.sr_id == sr_id)).one()

    def finish(self, *numbers: int, verb: str = "complete") -> None:
        """End issues by directives of a person."""
        for number in numbers:
            task = self.task(number).task_id
            if verb == "complete" and self.task(number).status != State.MANUAL:
                directives.issue_directive(self.env.board, LEAD, task, DirectiveRequest("manual"))
            directives.issue_directive(
                self.env.board, LEAD, task, DirectiveRequest(verb, "손으로 끝냄")
            )

    def kinds(self, sr_id: int) -> list[str]:
        """Return the kinds of a goal's audit entries; the whole audit log must be intact."""
        with self.env.board.database.reading() as session:
            assert log.verify_all(session).intact
            query = select(AuditEntry.kind).where(AuditEntry.sr_id == sr_id)
            return list(session.scalars(query.order_by(AuditEntry.seq)))

    def _next(self) -> str | None:
        with self.env.board.database.reading() as session:
            query = select(Wake.agent_id)
            return session.scalar(query.order_by(Wake.wake_id).limit(1))


@contextmanager
def open_agents_env(owner: str, dsn: str, keys: Path) -> Iterator[AgentsEnv]:
    """Open the seeded board with two more servers, and its team."""
    checkpoints.setup(owner)
    pool = checkpoints.open_pool(dsn)
    connections = Connections(FileCredentialStore(keys))
    with seeded_env(dsn) as env:
        institutions = (InstitutionInfo(id="MOE", name="교육부"),)
        names = Directory(institutions=institutions, servers=MORE_SERVERS)
        chart.import_directory(env.board, names, {})
        gate = Gate(env.board, connections)
        yield AgentsEnv(env, Team(env.board, gate, LIBRARY, checkpoints.saver(pool)), gate)
    connections.close()
    pool.close()
