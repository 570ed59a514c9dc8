"""One host's process: the board's pages, the clock and the worker, or some of them."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from guardia.board.desk import Desk
from guardia.board.desk.checkpoints import Notary
from guardia.board.desk.places import Places
from guardia.board.seal import Seal
from guardia.db.engine import Database
from guardia.org.keys import FileKeys
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
    with _desk(settings, dsn) as desk:
        asyncio.run(_run(settings, dsn, parts, desk, announce))


@contextmanager
def _desk(settings: Settings, dsn: str) -> Iterator[Desk]:
    database = Database(dsn, pool_size=_CONCURRENCY)
    try:
        yield Desk(
            database,
            notary=Notary(Places.of(settings)),
            seal=Seal.kept(FileKeys(settings.secrets)),
        )
    finally:
        database.close()


async def _run(
    settings: Settings, dsn: str, parts: Parts, desk: Desk, announce: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A part that fails takes the others with it, instead of leaving half a house.
    async with asyncio.TaskGroup() as group:
        if parts.board:
            group.create_task(_board(settings, desk, stop, announce))
        if parts.worker:
            group.create_task(_until(stop, _worker(settings, dsn, desk)))


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Run ``work``, and cancel it when told to stop."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _board(
    settings: Settings, desk: Desk, stop: asyncio.Event, announce: Callable[[str], None]
) -> None:
    from guardia.board.web.app import create_app
    from guardia.board.web.server import BoardServer

    listener = socket.create_server((settings.host, settings.port), reuse_port=False)
    server = BoardServer(create_app(desk, settings))
    # We handle the signals ourselves: worker and board stop together.
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    announce(f"http://{settings.host}:{listener.getsockname()[1]}")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


async def _worker(settings: Settings, dsn: str, desk: Desk) -> None:
    from guardia.heartbeat import orders, queue
    from guardia.heartbeat.workshop import workshop

    with ExitStack() as stack:
        shop = await asyncio.to_thread(lambda: stack.enter_context(workshop(settings, dsn, desk)))
        stack.callback(shop.clock.shutdown, wait=False)
        engine = queue.app(dsn, {"beat": shop.beat, "deliver": shop.deliver, "seal": shop.seal})
        async with asyncio.TaskGroup() as group, engine.open_async():
            listening = group.create_task(orders.listen(desk, shop.gate))
            await queue.work(engine, concurrency=_CONCURRENCY, name=socket.gethostname())
            listening.cancel()
