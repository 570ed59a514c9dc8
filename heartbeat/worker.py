"""What a worker process needs for its beats: the gate, the team, the scheduler."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta

from guardia.board.alerts import settling
from guardia.board.alerts.rules import AlertRules
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.control import kill_report
from guardia.board.core.context import BoardContext
from guardia.board.runs import beats
from guardia.board.webhooks import deliveries as webhook_deliveries
from guardia.db.engine import OUTAGE_ERRORS
from guardia.db.jobs import JobAttempt
from guardia.errors import ClockOff
from guardia.heartbeat import document_readings, remote_runs, rollout_plans, server_readings
from guardia.heartbeat.beat import IDLE, beat
from guardia.heartbeat.deliver import deliver
from guardia.heartbeat.lazy_team import LazyTeam
from guardia.heartbeat.listener import CHART_KINDS, INTERRUPTING_KINDS, Reaction
from guardia.heartbeat.mail_thread import MailThread
from guardia.heartbeat.schedule import HeartbeatScheduler
from guardia.heartbeat.search_threads import SearchThreads
from guardia.heartbeat.stop_listener import StopListener
from guardia.knowledge.loaders.sandbox import Sandbox
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings
from guardia.tools.gate import Gate
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits

log = logging.getLogger(__name__)

_RETRY_DELAY = 1.0
"""Seconds until a beat that lost the database tries again."""


@dataclass(frozen=True)
class Worker:
    """The jobs of a worker with their dependencies."""

    board: BoardContext
    team: LazyTeam
    gate: Gate
    settings: Settings
    scheduler: HeartbeatScheduler
    closing: threading.Event
    """Set when this process shuts down: beats start nothing new."""
    mail: MailThread | None = None
    sandbox: Sandbox = field(default_factory=Sandbox)
    """Reads documents; it starts its process with the first one."""
    search: SearchThreads | None = None

    @property
    def reactions(self) -> tuple[Reaction, ...]:
        """What this process does at once after events on the board."""
        return (
            Reaction(INTERRUPTING_KINDS, self.gate.interrupt, on_failing=self._alert_failing),
            Reaction(CHART_KINDS, self.scheduler.reload, on_missed=self.scheduler.resume),
        )

    def _alert_failing(self, error: Exception) -> None:
        kill_report.alert_listener_failed(self.board, socket.gethostname(), type(error).__name__)

    def beat(self, agent_id: str, attempt: JobAttempt) -> None:
        """Job `beat`: run an agent's beats until no wake reason is left.

        Reasons that arrive in the meantime are handled here: the next job of the same lock would
        not be announced when this one frees it. But jobs of dead workers come first: while one
        waits for a free worker, this job ends after each task.
        """
        is_closing = self.closing.is_set
        while not is_closing():
            try:
                done = beat(
                    self.board,
                    self.team,
                    agent_id,
                    attempt=attempt,
                    is_closing=is_closing,
                    should_yield=self._should_yield,
                )
                if done is None:
                    return
                if beats.is_over(self.board, agent_id) if done == IDLE else self._should_yield():
                    return
            except ClockOff:
                self.closing.wait(_RETRY_DELAY)
                raise  # another host takes the job
            except OUTAGE_ERRORS as error:
                log.warning("%s: database unavailable: %s", agent_id, type(error).__name__)
                if self.closing.wait(_RETRY_DELAY):
                    raise

    def _should_yield(self) -> bool:
        return beats.has_lost_jobs(self.board)

    def deliver(self, outbox_id: int) -> None:
        """Job `deliver`: send one message or alert."""
        deliver(self.board, self.settings, outbox_id)

    def read_server(self, reading_id: int) -> None:
        """Job `read_server`: read a server for a page."""
        server_readings.carry_out(self.board, self.gate, reading_id)

    def plan_rollout(self, number: int) -> None:
        """Job `plan_rollout`: make the plans of a rollout."""
        rollout_plans.carry_out(self.board, self.gate, number)

    def remote_run(self, number: int) -> None:
        """Job `remote_run`: read servers of a run of the remote console."""
        remote_runs.carry_out(self.board, self.gate, number)

    def read_document(self, version_id: int) -> None:
        """Job `read_document`: read a version of a document."""
        store = BlobStore.of(self.settings)
        document_readings.carry_out(self.board, store, self.sandbox, version_id)

    def process_alerts(self, source: str) -> None:
        """Job `alerts`: fold and settle the alerts of a monitoring system."""
        settling.process_alerts(self.board, source, AlertRules.of(self.settings))

    def deliver_webhook(self, delivery_id: int) -> None:
        """Job `webhook`: make one attempt at a delivery."""
        settings, keys = self.settings, FileCredentialStore(self.settings.secrets)
        origin = settings.public_origin or settings.board_address
        webhook_deliveries.attempt(
            self.board, keys, origin, delivery_id, local=settings.webhook_local
        )

    def sign_checkpoint(self) -> None:
        """Job `seal`: sign a checkpoint of the audit log."""
        self.board.sign_checkpoint()


@contextmanager
def open_worker(
    settings: Settings, dsn: str, board: BoardContext, closing: threading.Event
) -> Iterator[Worker]:
    """Create everything that a worker needs; closed at the end of the block."""
    connections = Connections(
        FileCredentialStore(settings.secrets),
        TransportLimits.of(settings),
        BlobStore.of(settings),
    )
    gate = Gate(board, connections)
    search = SearchThreads(settings, board, closing)
    team, scheduler = (
        LazyTeam(board, gate, settings, dsn, closing.is_set, search.find),
        HeartbeatScheduler(board, timedelta(days=settings.keep_steps_days), BlobStore.of(settings)),
    )
    try:
        with _stop_listener(board, gate), _mail(settings, board, closing) as mail, search:
            scheduler.start()
            with contextlib.closing(Sandbox()) as sandbox:
                yield Worker(board, team, gate, settings, scheduler, closing, mail, sandbox, search)
    finally:
        scheduler.stop()
        connections.close()
        team.close()


def _mail(
    settings: Settings, board: BoardContext, closing: threading.Event
) -> AbstractContextManager[MailThread | None]:
    return nullcontext() if settings.mail_imap is None else MailThread(settings, board, closing)


def _stop_listener(board: BoardContext, gate: Gate) -> AbstractContextManager[object]:
    return (
        nullcontext() if board.local_stop is None else StopListener(board, gate, board.local_stop)
    )
