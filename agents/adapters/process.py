"""Run an external agent as a sandboxed subprocess (own uid, rlimits, clean environment)."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from guardia.agents.adapters import supervisor
from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.board.external_agents.sessions import SessionEnd
from guardia.db.account import SystemAccount
from guardia.db.private_files import make_folders
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.org.adapters import ClaudeCodeAdapter, ProcessAdapter, ProcessLimits
from guardia.tools.output import sanitize

PATH = "/usr/local/bin:/usr/bin:/bin"
_MAX_KEPT_BYTES = 256 * 1024
"""Bytes kept of each stream."""
_STOP_TIMEOUT = 20.0
"""Seconds that the supervisor may take to end everything."""
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """How a program is started."""

    command: Sequence[str]
    stdin: bytes
    environment: dict[str, str]
    files: dict[str, str]
    """Written into its folder before the start."""


def build_launch_spec(adapter: ProcessAdapter, spec: SessionSpec, folder: Path) -> LaunchSpec:
    """Return the program of the chart, with the task as JSON on standard input and in a file."""
    text = json.dumps(spec.task, ensure_ascii=False)
    return LaunchSpec(
        adapter.command,
        text.encode(),
        {**base_environment(spec, folder), **adapter.environment},
        {"task.json": text},
    )


def base_environment(spec: SessionSpec, folder: Path) -> dict[str, str]:
    """Return the environment of every program; nothing is inherited."""
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GUARDIA_TASK_FILE": str(folder / "task.json"),
        "GUARDIA_API": spec.api,
        "GUARDIA_TOKEN": spec.token,
    }


def account(adapter: ProcessAdapter | ClaudeCodeAdapter, session_id: int) -> tuple[int, int] | None:
    """Return uid and gid for the program; `None` keeps the worker's account.

    Raises `Misconfigured` if the program would get the worker's permissions without the chart
    saying so.
    """
    if os.geteuid() != 0:
        if adapter.trust_account and adapter.account is None:
            return None
        raise Misconfigured(what="adapter", why=t("agents.outside.needs_root"))
    if adapter.account is None:
        number = supervisor.TRANSIENT_UIDS[session_id % len(supervisor.TRANSIENT_UIDS)]
        return number, number
    try:
        found = pwd.getpwnam(adapter.account)
    except KeyError:
        found = None
    if found is None or found.pw_uid == 0:
        raise Misconfigured(what="adapter.account", why=t("agents.outside.bad_account"))
    return found.pw_uid, found.pw_gid


def format_limits(limits: ProcessLimits) -> str:
    """Format limits for the supervisor."""
    data, file = limits.memory_mb * _MIB, limits.file_mb * _MIB
    return f"{limits.processes}:{data}:{limits.cpu_seconds}:{file}"


class ProcessAgent:
    """A program running below its supervisor."""

    output_limit = 16 * 1024 * 1024
    """Bytes of one stream that end it."""
    required_paths: tuple[Path, ...] = ()
    """Files of the installation that its account must be able to read."""

    def __init__(
        self,
        adapter: ProcessAdapter | ClaudeCodeAdapter,
        spec: SessionSpec,
        resources: HostResources,
    ) -> None:
        self.adapter, self.spec = adapter, spec
        self.folder = resources.folder / f"run-{spec.session_id}"
        self._resources = resources
        self._running: asyncio.subprocess.Process | None = None
        self._control_socket: socket.socket | None = None
        self._streams: list[asyncio.Task[bytes]] = []
        self._stop_requested = (
            asyncio.Event()
        )  # set when it prints too much, or reports that it cannot work

    def launch_spec(self) -> LaunchSpec:
        """Return how it is started."""
        assert isinstance(self.adapter, ProcessAdapter)
        return build_launch_spec(self.adapter, self.spec, self.folder)

    async def start(self) -> None:
        """Prepare its folder and start it. Raises `Misconfigured` if the host does not allow it."""
        uid_gid, launch_spec = account(self.adapter, self.spec.session_id), self.launch_spec()
        await asyncio.to_thread(self._prepare_folder, uid_gid, launch_spec)
        ours, theirs = socket.socketpair()
        self._control_socket = ours
        ours.setblocking(False)
        with theirs:
            self._running = await asyncio.create_subprocess_exec(
                *self._launcher(theirs.fileno(), uid_gid),
                *launch_spec.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self.folder,
                env=launch_spec.environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        assert self._running.stdin and self._running.stdout and self._running.stderr
        feeding = self._feed(self._running.stdin, launch_spec.stdin)
        self._streams = [
            asyncio.create_task(self._read(self._running.stdout, self.on_output)),
            asyncio.create_task(self._read(self._running.stderr)),
            asyncio.create_task(feeding),
        ]

    def _launcher(self, control_fd: int, uid_gid: tuple[int, int] | None) -> list[str]:
        named = f"{uid_gid[0]}:{uid_gid[1]}" if uid_gid else "-"
        supervisor_file = os.path.abspath(supervisor.__file__)
        bounds = format_limits(self.adapter.limits)
        return [sys.executable, "-I", "-S", supervisor_file, str(control_fd), named, bounds]

    def _prepare_folder(self, uid_gid: tuple[int, int] | None, launch_spec: LaunchSpec) -> None:
        make_folders(self._resources.folder, 0o711)
        if uid_gid:
            self._require_access(SystemAccount("", *uid_gid))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        for name, text in launch_spec.files.items():
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_text(text, "utf-8")
            if uid_gid:
                os.chown(path, *uid_gid)
        if uid_gid:
            os.chown(self.folder, *uid_gid)

    def _require_access(self, account: SystemAccount) -> None:
        for path in (self._resources.folder, *self.required_paths):
            if (obstacle := account.obstacle(path)) is not None:
                why = t("agents.outside.unreachable", path=obstacle)
                raise Misconfigured(what=str(path), why=why)

    async def _feed(self, stream: asyncio.StreamWriter, text: bytes) -> bytes:
        # A program may ignore its input.
        with suppress(ConnectionError):
            stream.write(text)
            await stream.drain()
        stream.close()
        return b""

    def on_output(self, chunk: bytes) -> None:
        """Handle each chunk of its standard output as it arrives."""

    async def _read(
        self, stream: asyncio.StreamReader, on_output: Callable[[bytes], None] = lambda _: None
    ) -> bytes:
        """Return the beginning of a stream; more is read and dropped, up to the output limit."""
        kept, total = bytearray(), 0
        while chunk := await stream.read(65536):
            kept += chunk[: max(0, _MAX_KEPT_BYTES - len(kept))]
            on_output(chunk)
            total += len(chunk)
            if total > self.output_limit:
                self._stop_requested.set()
        return bytes(kept)

    async def wait(self) -> None:
        """Wait until the program ends or exceeds its output limit."""
        assert self._running
        tasks = [asyncio.ensure_future(self._running.wait())]
        tasks.append(asyncio.ensure_future(self._stop_requested.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def stop(self) -> SessionEnd:
        """Kill it with everything that it has started, and remove its folder."""
        try:
            code, left = await self._end()
            texts = [await self._text(task) for task in self._streams[:2]]
        finally:
            if self._control_socket:
                self._control_socket.close()
            await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        how = "flooded" if self._stop_requested.is_set() else "ended" if code == 0 else "failed"
        return self.with_output(SessionEnd(how, code, left, ""), *texts)

    def with_output(
        self, ending: SessionEnd, stdout_text: str = "", stderr_text: str = ""
    ) -> SessionEnd:
        """Add its output for people, without the token."""
        text = "\n".join(part.strip() for part in (stdout_text, stderr_text) if part.strip())
        return SessionEnd(ending.how, ending.exit, ending.left, self.mask_secrets(text))

    def mask_secrets(self, text: str) -> str:
        """Mask the token in `text`."""
        return sanitize(text).replace(self.spec.token, "••••••")

    async def _text(self, task: asyncio.Task[bytes]) -> str:
        return (await task).decode("utf-8", "replace")

    async def _end(self) -> tuple[int | None, int]:
        """Return the exit code, and how many processes had to be killed after the program."""
        if self._running is None or self._control_socket is None:
            return None, 0
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                with suppress(OSError):
                    self._control_socket.shutdown(socket.SHUT_WR)
                words = (await loop.sock_recv(self._control_socket, 64)).split()
                await self._running.wait()
        except TimeoutError:
            words = []
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)
        return (int(words[0]), int(words[1])) if len(words) == 2 else (None, 0)
