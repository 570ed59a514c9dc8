"""SSH server of one machine of the fleet: commands really run, in the machine's own home.

It behaves like OpenSSH where that matters to a client: a command runs in its own session below
bash, closing its channel does not end it, and its exit code or signal is reported.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from guardia.tools.lab.child_processes import ChildReaper
from guardia.tools.lab.namespace import end_with_parent

ACCOUNT = "guardia"
_CHUNK = 65_536
_NUMBERS = {known.name: known for known in signal.Signals}
_ACCEPTED = ("LANG", "LC_")  # what OpenSSH on Debian accepts from a client


@dataclass(frozen=True)
class Shell:
    """How commands run on this machine."""

    home: Path
    environment: Mapping[str, str]
    children: ChildReaper
    tied: bool
    """Whether commands must be tied to this process because no namespace ends them with it."""

    def start(
        self, arguments: list[str], files: tuple[int, int, int], environment: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], asyncio.Future[int]]:
        """Start a process in the home. It is waited for, whether or not its channel stays open."""
        tie: Callable[[], None] | None = _die_with_server if self.tied else None
        child = subprocess.Popen(
            arguments,
            stdin=files[0],
            stdout=files[1],
            stderr=files[2],
            cwd=self.home,
            env={**self.environment, **environment},
            umask=0o022,
            start_new_session=True,
            preexec_fn=tie,  # noqa: PLW1509 (one thread, and only where it is needed)
        )
        return child, self.children.exit_code(child)


def _die_with_server() -> None:
    end_with_parent(signal.SIGKILL)


class CommandSession(asyncssh.SSHServerProcess[bytes]):
    """One exec or shell request."""

    def __init__(self, shell: Shell) -> None:
        super().__init__(self._run, lambda channel: _files(shell, channel), 3, False)
        self._shell = shell
        self._child: subprocess.Popen[bytes] | None = None
        self._terminal: int | None = None

    def signal_received(self, signal: str) -> None:
        """Forward a client's signal to the command's process group."""
        number = _NUMBERS.get(f"SIG{signal}")
        if self._child is not None and number is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Resize the terminal to the client's window."""
        self._resize(width, height)

    def break_received(self, msec: int) -> bool:
        """Ignore a break: there is no serial line."""
        return False

    def _resize(self, columns: int, rows: int) -> None:
        if self._terminal is not None:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    async def _run(self, _process: asyncssh.SSHServerProcess[bytes]) -> None:
        code = await (self._on_terminal() if self.term_type else self._on_pipes())
        with suppress(OSError):  # the client may have closed the channel long ago
            if code >= 0:
                self.exit(code)
            else:
                self.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        await self.wait_closed()

    async def _on_pipes(self) -> int:
        (in_r, in_w), (out_r, out_w), (err_r, err_w) = (os.pipe() for _ in range(3))
        try:
            self._child, ended = self._shell.start(
                self._arguments(), (in_r, out_w, err_w), self._environment()
            )
        finally:
            for descriptor in (in_r, out_w, err_w):
                os.close(descriptor)
        feeding = asyncio.ensure_future(self._feed(in_w))
        await self._until_closed(self._drain(out_r, self.stdout), self._drain(err_r, self.stderr))
        code = await ended
        feeding.cancel()
        return code

    async def _on_terminal(self) -> int:
        ours, theirs = pty.openpty()
        self._terminal = ours
        self._resize(*self.term_size[:2])
        environment = {**self._environment(), "TERM": self.term_type or "dumb"}
        arguments = ["/usr/bin/setsid", "--ctty", "--wait", *self._arguments()]
        try:
            self._child, ended = self._shell.start(arguments, (theirs,) * 3, environment)
        finally:
            os.close(theirs)
        feeding = asyncio.ensure_future(self._feed(os.dup(ours)))
        await self._until_closed(self._drain(ours, self.stdout))
        # Once this side is closed, the kernel hangs up every process on the terminal.
        feeding.cancel()
        self._terminal = None
        return await ended

    async def _until_closed(self, *pumps: Awaitable[None]) -> None:
        """Wait until all output has been forwarded or the client has closed the channel."""
        pumping = [asyncio.ensure_future(pump) for pump in pumps]
        closed = asyncio.ensure_future(self.channel.wait_closed())
        closed.add_done_callback(lambda _closed: [pump.cancel() for pump in pumping])
        await asyncio.gather(*pumping, return_exceptions=True)
        closed.cancel()

    async def _drain(self, descriptor: int, writer: asyncssh.SSHWriter[bytes]) -> None:
        """Forward the command's output as fast as the client takes it."""
        os.set_blocking(descriptor, False)
        try:
            while data := await _read(descriptor):
                writer.write(data)
                await writer.drain()
        except (OSError, asyncssh.Error):
            return  # the terminal was closed by its last user, or the client is gone
        finally:
            os.close(descriptor)

    async def _feed(self, descriptor: int) -> None:
        """Forward the client's input to the command, and the end of it."""
        os.set_blocking(descriptor, False)
        try:
            while data := await self.stdin.read(_CHUNK):
                await _write(descriptor, data)
        except (OSError, asyncssh.Error):
            return
        finally:
            os.close(descriptor)

    def _arguments(self) -> list[str]:
        return ["/bin/bash", "-c", self.command] if self.command else ["/bin/bash", "-l"]

    def _environment(self) -> dict[str, str]:
        peer = self.get_extra_info("peername") or ("", 0)
        local = self.get_extra_info("sockname") or ("", 0)
        asked = {k: v for k, v in self.env.items() if k.startswith(_ACCEPTED)}
        connection = f"{peer[0]} {peer[1]} {local[0]} {local[1]}"
        return {**asked, "SSH_CONNECTION": connection}


def _files(shell: Shell, channel: Any) -> asyncssh.SFTPServer:
    return asyncssh.SFTPServer(channel, chroot=os.fsencode(shell.home))


async def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, _CHUNK)
        except BlockingIOError:
            loop, ready = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(descriptor, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(descriptor)


async def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            loop, ready = asyncio.get_running_loop(), asyncio.Event()
            loop.add_writer(descriptor, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_writer(descriptor)


class KeyAuthServer(asyncssh.SSHServer):
    """Accepts one account with one key."""

    def __init__(self, shell: Shell, key: asyncssh.SSHKey) -> None:
        self._shell = shell
        self._key = key

    def begin_auth(self, username: str) -> bool:
        """Require a key from everyone."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Allow keys, the only method."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether this is the account's key."""
        return username == ACCOUNT and key == self._key

    def session_requested(self) -> CommandSession:
        """Accept a command or a shell."""
        return CommandSession(self._shell)


async def serve(
    listening: socket.socket, host_key: str, client_key: str, shell: Shell
) -> asyncssh.SSHAcceptor:
    """Serve SSH with `host_key` (private, as text) and accept `client_key` (public)."""
    allowed = asyncssh.import_public_key(client_key)
    return await asyncssh.create_server(
        lambda: KeyAuthServer(shell, allowed),
        sock=listening,
        server_host_keys=[asyncssh.import_private_key(host_key)],
        encoding=None,
        line_editor=False,
        x11_forwarding=False,
        agent_forwarding=False,
        gss_host=None,
        login_timeout=30,
    )
