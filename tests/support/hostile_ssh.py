"""SSH servers that answer as no server should: true SSH up to the point where each misbehaves."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import asyncssh

Answer = Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]]
"""What a server does with a command."""

_ENDLESS = 10_000_000


class HostileServer(asyncssh.SSHServer):
    """Accepts every key, or misbehaves before that."""

    def __init__(self, auth: str) -> None:
        self._auth = auth
        self._connection: Any = None

    def connection_made(self, conn: Any) -> None:
        self._connection = conn

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if self._auth == "close":
            self._connection.abort()
        elif self._auth == "hang":
            await asyncio.sleep(3600)
        return self._auth == "accept"


@contextmanager
def hostile_server(key: Any, answer: Answer, auth: str = "accept") -> Iterator[int]:
    """Serve SSH in a thread with the host key in the file `key`. Yields the port."""
    loop = asyncio.new_event_loop()
    listening = socket.create_server(("127.0.0.1", 0))

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        with suppress(OSError, asyncssh.Error):
            await answer(process)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            lambda: HostileServer(auth),
            sock=listening,
            server_host_keys=[asyncssh.read_private_key(key)],
            process_factory=serve,
            encoding=None,
            line_editor=False,
            login_timeout=0,
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield int(listening.getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(acceptor), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve plain TCP in threads. Yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                held.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with suppress(OSError):
            talk(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in held:
            connection.close()


def words(process: asyncssh.SSHServerProcess[bytes]) -> list[str]:
    """Return the words of the command line from which a mark might be guessed."""
    return re.findall(r"[0-9a-f]{8,}|[0-9]{3,}", process.command or "")


async def send_forever(process: asyncssh.SSHServerProcess[bytes], out: bytes, err: bytes) -> None:
    """Send the same bytes again and again, as fast as the client takes them."""
    for _ in range(_ENDLESS):
        if out:
            process.stdout.write(out)
            await process.stdout.drain()
        if err:
            process.stderr.write(err)
            await process.stderr.drain()
        await asyncio.sleep(0)


async def run_truly(process: asyncssh.SSHServerProcess[bytes]) -> bytes:
    """Run the command line as sshd does, without its input. Returns its errors.

    They hold the true marks: so a server can learn them.
    """
    line = ["sh", "-c", process.command or ""]
    run = partial(subprocess.run, line, input=b"", capture_output=True, check=False)
    return (await asyncio.to_thread(run)).stderr
