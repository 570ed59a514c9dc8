"""The process of one host: the board's pages, the scheduler and a worker, or some of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from guardia import garbage
from guardia.board.audit.signing import DecisionSigner
from guardia.board.audit.witness_files import WitnessFiles
from guardia.board.core.context import BoardContext
from guardia.board.core.local_stop import LocalStop
from guardia.board.integrity.notary import Notary
from guardia.db.clock import DatabaseClock
from guardia.db.engine import OUTAGE_ERRORS, Database
from guardia.errors import GuardiaError, Misconfigured, PartEnded
from guardia.heartbeat.liveness import Liveness
from guardia.i18n import t
from guardia.org.credential_store import FileCredentialStore, with_stored_secrets
from guardia.settings import Settings
from guardia.tools.catalog_planner import CatalogPlanner

if TYPE_CHECKING:
    from guardia.heartbeat.worker import Worker
    from guardia.tools.gate import Gate

log = logging.getLogger(__name__)

_GRACE = 20.0
"""Seconds that running beats get to finish their current step during shutdown."""
_LAST_GRACE = 8.0
"""Seconds for recording the results of commands that were then ended on the servers."""
_SPARE_THREADS = 4
_WATCH_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class HostOptions:
    """Which parts this process runs."""

    board: bool = True
    worker: bool = True
    concurrency: int = 8
    """Jobs that the worker runs at the same time."""
    alive: Path | None = None
    """File whose modification time the worker updates while it is alive."""


def run(
    settings: Settings, dsn: str, options: HostOptions, announce: Callable[[str], None] = log.info
) -> None:
    """Serve until SIGINT or SIGTERM; call `announce` with the board's address once it is ready."""
    settings = with_stored_secrets(settings, FileCredentialStore(settings.secrets))
    if options.board:
        _require_board_settings(settings)
    with (
        _listening(settings, options) as listener,
        _open_context(settings, dsn, options.concurrency) as board,
    ):
        _serve(lambda: _run(settings, dsn, options, board, announce, listener))


def _serve(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run all parts; raise the first error of the part that ended the others."""
    try:
        asyncio.run(work())
    except BaseExceptionGroup as group:
        causes = list(_causes(group))
        known = [error for error in causes if isinstance(error, GuardiaError)]
        raise (known or causes)[0] from None


def _causes(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _causes(error)
        else:
            yield error


@contextmanager
def _listening(settings: Settings, options: HostOptions) -> Iterator[socket.socket | None]:
    """Open the board's port, before anything else starts. Raises `Misconfigured` if it is taken."""
    if not options.board:
        yield None
        return
    try:
        listener = socket.create_server((settings.host, settings.port), reuse_port=False)
    except (OSError, OverflowError) as error:
        address = f"{settings.host}:{settings.port}"
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise Misconfigured(what=address, why=t("cli.up.port", why=why)) from error
    with listener:
        yield listener


def _require_board_settings(settings: Settings) -> None:
    """Raise `Misconfigured` for what the board could not start with, before anything runs."""
    from guardia.board.site import tls, web_settings

    web_settings.require_valid(settings)
    tls.TlsFiles.of(settings)


@contextmanager
def _open_context(settings: Settings, dsn: str, connections: int) -> Iterator[BoardContext]:
    database = Database(dsn, pool_size=connections)
    clock = DatabaseClock(dsn, settings.clock_limit)
    try:
        yield BoardContext(
            database,
            notary=Notary(WitnessFiles.of(settings)),
            decision_signer=DecisionSigner.from_store(FileCredentialStore(settings.secrets)),
            planner=CatalogPlanner(),
            clock=clock,
            local_stop=LocalStop.of(settings),
        )
    finally:
        clock.close()
        database.close()


async def _run(
    settings: Settings,
    dsn: str,
    options: HostOptions,
    board: BoardContext,
    announce: Callable[[str], None],
    listener: socket.socket | None,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Beats may occupy one thread per concurrent job; the spare threads serve everything besides.
    loop.set_default_executor(ThreadPoolExecutor(options.concurrency + _SPARE_THREADS, "work"))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A failing part ends the others, so that the process never runs with only some of its parts.
    async with asyncio.TaskGroup() as group:
        if listener is not None:
            group.create_task(_run_board(settings, board, stop, announce, listener))
        if options.worker:
            group.create_task(
                _retry_on_outage(lambda: _run_worker(settings, dsn, options, board, stop), stop)
            )


async def _run_board(
    settings: Settings,
    board: BoardContext,
    stop: asyncio.Event,
    announce: Callable[[str], None],
    listener: socket.socket,
) -> None:
    from guardia.board.site.app import create_app
    from guardia.board.site.server import BoardServer

    # Port 0 picks a free one, and external agents of this process need to know which.
    settings.port = listener.getsockname()[1]
    server = BoardServer(create_app(board, settings))
    garbage.keep_what_exists()
    # We handle the signals ourselves: worker and board stop together.
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    announce(f"{settings.scheme}://{settings.host}:{listener.getsockname()[1]}")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving
    _require_stopping(stop, "board")


def _require_stopping(stop: asyncio.Event, part: str) -> None:
    """Raise `PartEnded` if a part has ended on its own: then the whole process ends."""
    if not stop.is_set():
        raise PartEnded(what=t(f"cli.up.part.{part}"))


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


async def _retry_on_outage(
    work: Callable[[], Coroutine[None, None, None]], stop: asyncio.Event
) -> None:
    """Restart the worker if the database was lost while it was starting."""
    while not stop.is_set():
        try:
            await work()
        except* OUTAGE_ERRORS as errors:
            log.warning("database unavailable: %s", errors.exceptions[0])
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)


async def _run_worker(
    settings: Settings, dsn: str, options: HostOptions, board: BoardContext, stop: asyncio.Event
) -> None:
    from guardia.heartbeat import listener, queue
    from guardia.heartbeat.worker import open_worker

    liveness, closing = Liveness(options.alive), threading.Event()
    name = f"{socket.gethostname()}:{os.getpid()}"
    with ExitStack() as stack:
        opening = open_worker(settings, dsn, board, closing)
        worker = await asyncio.to_thread(stack.enter_context, opening)
        garbage.keep_what_exists()
        engine = queue.create_engine_app(dsn, worker)
        async with engine.open_async(), asyncio.TaskGroup() as group:
            reacting = group.create_task(listener.listen(board, worker.reactions))
            jobs = queue.run_worker(
                engine,
                board,
                stop,
                concurrency=options.concurrency,
                name=name,
                on_alive=liveness.report_alive,
                on_clock_back=worker.scheduler.realign,
            )
            working = group.create_task(jobs)
            stopping = group.create_task(stop.wait())
            watching = group.create_task(_watch_threads(worker, stop))
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            liveness.report_closing()
            closing.set()
            await _drain(working, worker.gate)
            reacting.cancel()
            watching.cancel()
            stopping.cancel()
            _require_stopping(stop, "worker")


async def _watch_threads(worker: Worker, stop: asyncio.Event) -> None:
    """Raise `PartEnded` if a thread that a worker needs has ended."""
    while not stop.is_set():
        if worker.scheduler.has_ended():
            raise PartEnded(what=t("cli.up.part.scheduler"))
        if worker.mail is not None and worker.mail.has_ended():
            raise PartEnded(what=t("cli.up.part.mail"))
        if worker.search is not None and worker.search.has_ended():
            raise PartEnded(what=t("cli.up.part.search"))
        await asyncio.sleep(_WATCH_INTERVAL)


async def _drain(working: asyncio.Task[None], gate: Gate) -> None:
    """Wait for running beats, which end after their current step.

    Commands that take longer than the grace period are ended on their server; jobs that still do
    not end are left to other workers.
    """
    if (await asyncio.wait({working}, timeout=_GRACE))[0]:
        return
    log.warning("jobs still running after %s s; ending their commands", _GRACE)
    await asyncio.to_thread(gate.close)
    if not (await asyncio.wait({working}, timeout=_LAST_GRACE))[0]:
        log.warning("jobs still running; exiting, other workers take over")
        logging.shutdown()
        os._exit(0)  # hanging threads cannot be ended in any other way
