"""What a worker process holds ready for its beats: the gate, the library, the checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apscheduler.schedulers.background import BackgroundScheduler

from guardia.agents import checkpoints
from guardia.agents.team import Team
from guardia.board.desk import Desk
from guardia.heartbeat import schedule
from guardia.heartbeat.beat import beat
from guardia.heartbeat.deliver import deliver
from guardia.knowledge.library import Library
from guardia.org import revisions
from guardia.org.keys import FileKeys
from guardia.settings import Settings
from guardia.tools.execute import Gate
from guardia.tools.ssh import Connections


@dataclass(frozen=True)
class Workshop:
    """The jobs of a worker, bound to what they need."""

    desk: Desk
    team: Team
    gate: Gate
    settings: Settings
    clock: BackgroundScheduler

    def beat(self, agent_id: str) -> None:
        """Job ``beat``: an agent's beats until no reason is left.

        Reasons that come while it works are taken here: the next job of the same lock would not be
        notified when this one lets it go.
        """
        while beat(self.desk, self.team, agent_id) is not None:
            pass

    def deliver(self, outbox_id: int) -> None:
        """Job ``deliver``: one message or alert."""
        deliver(self.desk, self.settings, outbox_id)

    def seal(self) -> None:
        """Job ``seal``: a signed checkpoint of the record."""
        if self.desk.notary is not None:
            self.desk.notary.seal(self.desk)


@contextmanager
def workshop(settings: Settings, dsn: str, desk: Desk) -> Iterator[Workshop]:
    """Everything a worker needs, closed at its end."""
    with desk.database.reading() as session:
        running = revisions.running(session)
    connections = Connections(FileKeys(settings.secrets))
    pool = checkpoints.open_pool(dsn)
    try:
        library = Library.shipped()
        # The first search loads the morphological analyser; not while someone waits for it.
        library.find("서버 점검", limit=1)
        gate = Gate(desk, connections)
        team = Team(desk, gate, library, checkpoints.saver(pool))
        yield Workshop(desk, team, gate, settings, schedule.clock(desk, running))
    finally:
        connections.close()
        pool.close()
