"""What a worker process holds ready for its beats: the gate, the library, the checkpoints."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apscheduler.schedulers.background import BackgroundScheduler

from guardia.agents import checkpoints
from guardia.agents.team import Team
from guardia.board.desk import Desk
from guardia.db.engine import AWAY
from guardia.db.jobs import Attempt
from guardia.heartbeat import schedule
from guardia.heartbeat.beat import beat
from guardia.heartbeat.deliver import deliver
from guardia.knowledge.library import Library
from guardia.org import revisions
from guardia.org.keys import FileKeys
from guardia.settings import Settings
from guardia.tools.execute import Gate
from guardia.tools.ssh import Connections

log = logging.getLogger(__name__)

_AGAIN = 1.0
"""Seconds until a beat that lost the database looks for it again."""


@dataclass(frozen=True)
class Workshop:
    """The jobs of a worker, bound to what they need."""

    desk: Desk
    team: Team
    gate: Gate
    settings: Settings
    clock: BackgroundScheduler
    closing: threading.Event
    """Set when this process is to end: beats begin nothing more."""

    def beat(self, agent_id: str, attempt: Attempt) -> None:
        """Job ``beat``: an agent's beats until no reason is left.

        Reasons that come while it works are taken here: the next job of the same lock would not be
        notified when this one lets it go.
        """
        closing = self.closing.is_set
        while not closing():
            try:
                if beat(self.desk, self.team, agent_id, attempt=attempt, closing=closing) is None:
                    return
            except AWAY as error:
                log.warning("%s: the database does not answer: %s", agent_id, type(error).__name__)
                if self.closing.wait(_AGAIN):
                    raise

    def deliver(self, outbox_id: int) -> None:
        """Job ``deliver``: one message or alert."""
        deliver(self.desk, self.settings, outbox_id)

    def seal(self) -> None:
        """Job ``seal``: a signed checkpoint of the record."""
        if self.desk.notary is not None:
            self.desk.notary.seal(self.desk)


@contextmanager
def workshop(
    settings: Settings, dsn: str, desk: Desk, closing: threading.Event
) -> Iterator[Workshop]:
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
        team = Team(desk, gate, library, checkpoints.saver(pool), closing.is_set)
        yield Workshop(desk, team, gate, settings, schedule.clock(desk, running), closing)
    finally:
        connections.close()
        pool.close()
