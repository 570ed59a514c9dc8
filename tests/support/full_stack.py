"""Board, team, gate and practice fleet on one database, run beat by beat without a queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from guardia.agents import checkpoints
from guardia.agents.team import Team
from guardia.board.approvals import decisions, pending
from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.keyless import keyless_context
from guardia.board.core.lifecycle import State
from guardia.board.core.run_model import Wake
from guardia.board.integrity.notary import Notary
from guardia.board.issues import receiving, view
from guardia.board.organization import chart as organization_chart
from guardia.db.engine import Database
from guardia.heartbeat.beat import beat
from guardia.knowledge.library import Library
from guardia.org import chart
from guardia.org.credential_store import FileCredentialStore
from guardia.org.directory import PersonInfo
from guardia.settings import Settings
from guardia.tools.catalog_planner import CatalogPlanner
from guardia.tools.gate import Gate, Transport
from guardia.tools.lab.running_fleet import RunningFleet
from guardia.tools.transport.connections import Connections

LIBRARY = Library.shipped()


@dataclass
class FullStack:
    """The board and the team, with shortcuts for what people do."""

    board: BoardContext
    team: Team
    gate: Gate
    fleet: RunningFleet

    def request(self, text: str) -> int:
        """Post a line in a room that opens an issue; return its number."""
        return receiving.receive_issue(
            self.board,
            receiving.NewIssue(text=text, channel="mattermost", sender="장하늘", room="방"),
        )

    def work(self) -> None:
        """Run beats until no agent has a wake reason."""
        while (agent := self._next()) is not None:
            beat(self.board, lambda: self.team, agent)

    def state(self, sr_id: int) -> State:
        """Return an issue's state."""
        return view.issue(self.board, sr_id).state

    def decide(self, sr_id: int, *, approve: bool = True) -> None:
        """Decide each waiting step as the right person, until none waits."""
        while waiting := pending.pending_plans(self.board, sr_id):
            step = waiting[0]
            decisions.decide(
                self.board,
                self.person(step.role),
                step.task_id,
                approve=approve,
                plan_hash=step.plan_hash,
                reason="시험",
            )

    def person(self, role: str) -> PersonInfo:
        """Return a person of that role."""
        return next(p for p in self.fleet.directory().people if p.role == role)

    def entries(self, sr_id: int) -> list[AuditEntry]:
        """Return an issue's audit entries; the whole audit log must be intact."""
        with self.board.database.reading() as session:
            assert log.verify_all(session).intact
            found = select(AuditEntry).where(AuditEntry.sr_id == sr_id).order_by(AuditEntry.seq)
            return list(session.scalars(found))

    def changes(self, sr_id: int) -> list[str]:
        """Return the tools of the changes that were attempted, in order."""
        return [
            e.detail["tool"]
            for e in self.entries(sr_id)
            if e.kind == "intent" and e.detail["phase"] != "read"
        ]

    def _next(self) -> str | None:
        with self.board.database.reading() as session:
            return session.scalar(select(Wake.agent_id).order_by(Wake.wake_id).limit(1))


@contextmanager
def open_full_stack(
    dsn: str, fleet: RunningFleet, keys: Path, transport: Any = None, contents: Any = None
) -> Iterator[FullStack]:
    """Open everything over a migrated and enrolled database.

    `transport` wraps the connections; `contents` is the store of what they transfer.
    """
    database = Database(dsn, pool_size=4)
    pool = checkpoints.open_pool(dsn)
    connections: Transport = Connections(FileCredentialStore(keys), contents=contents)
    try:
        # Workers of one installation sign with one key.
        board = BoardContext(
            database,
            decision_signer=DecisionSigner.from_store(FileCredentialStore(keys)),
            notary=Notary(WitnessFiles.of(Settings(home=keys.parent))),
            planner=CatalogPlanner(),
        )
        gate = Gate(board, transport(connections) if transport else connections)
        yield FullStack(board, Team(board, gate, LIBRARY, checkpoints.saver(pool)), gate, fleet)
    finally:
        connections.close()  # type: ignore[attr-defined]
        pool.close()
        database.close()


def seed_full_stack(owner_dsn: str, dsn: str, fleet: RunningFleet, keys: Path) -> None:
    """Prepare a database for `open_full_stack`.

    Creates the checkpoint tables, applies the shipped chart, and enrols the fleet's people, servers
    and key.
    """
    checkpoints.setup(owner_dsn)
    FileCredentialStore(keys).put(*fleet.credential())
    database = Database(dsn, pool_size=2)
    board = keyless_context(database)
    organization_chart.apply_chart(
        board, chart.shipped_chart_path().read_text("utf-8"), Actor.operator("test")
    )
    organization_chart.import_directory(board, fleet.directory(), {})
    database.close()
