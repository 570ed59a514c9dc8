"""One host's process: the board's pages, the clock and the worker, or some of them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from guardia.board.desk import Desk
from guardia.db.engine import Database
from guardia.settings import Settings

log = logging.getLogger(__name__)

_CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """What this process does."""

    board: bool = True
    worker: bool = True


def run(
    settings: Settings, dsn: str, parts: Parts, announce: Callable[[str], None] = log.info
) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is given the board's address once it answers."""
    with _desk(dsn) as desk:
        asyncio.run(_run(settings, dsn, parts, desk, announce))


@contextmanager
def _desk(dsn: str) -> Iterator[Desk]:
    database = Database(dsn, pool_size=_CONCURRENCY)
    try:
        yield Desk(database)
    finally:
        database.close()


async def _run(
    settings: Settings, dsn: str, parts: Parts, desk: Desk, announce: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = []
    if parts.board:
        tasks.append(asyncio.create_task(_board(settings, desk, stop, announce)))
    if parts.worker:
        tasks.append(asyncio.create_task(_worker(settings, dsn, desk)))
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    for task in tasks[::-1]:
        if task not in done and not (parts.board and task is tasks[0]):
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {stopping}:
        # A part that ended by itself has failed: say why, instead of serving half.
        task.result()


async def _board(
    settings: Settings, desk: Desk, stop: asyncio.Event, announce: Callable[[str], None]
) -> None:
    import uvicorn

    from guardia.board.web.app import create_app

    listener = socket.create_server((settings.host, settings.port), reuse_port=False)
    app = create_app(desk, settings)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    )
    # We handle the signals ourselves: worker and board stop together.
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    announce(f"http://{settings.host}:{listener.getsockname()[1]}")
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when="FIRST_COMPLETED")
    server.should_exit = True
    await serving


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


async def _worker(settings: Settings, dsn: str, desk: Desk) -> None:
    from guardia.heartbeat import queue
    from guardia.heartbeat.workshop import workshop

    with ExitStack() as stack:
        shop = await asyncio.to_thread(lambda: stack.enter_context(workshop(settings, dsn, desk)))
        stack.callback(shop.clock.shutdown, wait=False)
        engine = queue.app(dsn, {"beat": shop.beat, "deliver": shop.deliver})
        async with engine.open_async():
            name = f"{socket.gethostname()}"
            await queue.work(engine, concurrency=_CONCURRENCY, name=name)
