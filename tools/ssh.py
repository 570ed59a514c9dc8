"""The hands: commands on servers over kept SSH connections. Nothing else imports paramiko.

``Unreachable`` always means that the command surely did not start. Once it may have started it is
never sent again, and ``run`` returns what is known of its end.
"""

from __future__ import annotations

import io
import logging
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from guardia.errors import GuardiaError, Misconfigured, Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import hostkey
from guardia.tools.command import Command
from guardia.tools.lifeline import Leash, Lifeline, Stream, end_of, ending, session_of
from guardia.tools.limits import Limits
from guardia.tools.output import Ending, Output
from guardia.tools.pool import Closed, Full, Kept, Pool
from guardia.tools.waiting import Bounded, Wake

__all__ = ["Connections", "Ending", "Limits", "Output", "Secrets"]

OnOutput = Callable[[str, str], None]
"""Called with ``"stdout"`` or ``"stderr"`` and some whole lines, while the command runs."""

_Place = tuple[str, str, int, str, str, str]
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_BROKEN = (paramiko.SSHException, EOFError, OSError)
_LOOK_SECONDS = 0.1
"""How soon a cancel is noticed while nothing arrives."""
_LETTING_GO_SECONDS = 5.0
"""How long the server may take to end a command and to confirm it."""
_CHUNK = 65_536

# Without a handler paramiko's log lines would go to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Secrets(Protocol):
    """Where private keys are kept."""

    def get(self, name: str) -> str:
        """The PEM text of the private key of that name."""
        ...


class Connections:
    """Kept connections to any number of hosts; one object serves all threads."""

    def __init__(self, secrets: Secrets, limits: Limits | None = None) -> None:
        self._secrets = secrets
        self._limits = limits or Limits()
        self._pool: Pool[_Place, _Connection] = Pool(
            channels=self._limits.channels,
            connections=self._limits.connections,
            idle=self._limits.idle,
        )

    def run(
        self,
        host: Host,
        command: Command,
        *,
        timeout: float,
        cancel: threading.Event | None = None,
        on_output: OnOutput | None = None,
        leash: Leash | None = None,
    ) -> Output:
        """Run ``command`` and wait for its end, at most ``timeout`` seconds.

        ``Unreachable`` where it surely did not start. Setting ``cancel`` ends it on the server.
        With a ``leash`` it starts only while that holds; ``Stale`` else.
        """
        cancel = cancel or threading.Event()
        if cancel.is_set():
            return Output(None, "", "", 0.0, ended=Ending.CANCELLED)
        lifeline = Lifeline(command, timeout, leash)
        following, output = self._followed(host, lifeline, cancel, on_output)
        return output or following.output(self._gone(host, lifeline, following.session))

    def end(self, host: Host, tag: str) -> bool:
        """End whatever is on that leash on the server, also if another worker has put it there.

        Whether nothing of it is left; ``Unreachable`` where the server cannot be asked.
        """
        return self.run(host, ending(tag), timeout=_LETTING_GO_SECONDS + 5).exit == 0

    def close(self) -> None:
        """End all connections, and with them whatever still runs over them."""
        self._pool.close()

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _followed(
        self,
        host: Host,
        lifeline: Lifeline,
        cancel: threading.Event,
        on_output: OnOutput | None = None,
    ) -> tuple[_Following, Output | None]:
        """One command, followed to its end; no output where that was not heard of."""
        kept, channel = self._channel(host)
        following = _Following(channel, lifeline, self._limits, on_output)
        try:
            return following, following.through(cancel)
        except _NotBegun as error:
            raise _unreachable(host, "broken", error=error) from None
        finally:
            channel.close()
            # A connection that did not even tell of the end is not trusted with the next command.
            self._pool.give_back(kept, retire=not following.heard)

    def _gone(self, host: Host, lifeline: Lifeline, session: int) -> bool:
        """Whether a second look at the server finds nothing left of a command."""
        look = Lifeline(lifeline.gone(session), _LETTING_GO_SECONDS)
        try:
            _, output = self._followed(host, look, threading.Event())
        except GuardiaError:
            return False
        return output is not None and output.exit == 0

    def _channel(self, host: Host) -> tuple[Kept[_Connection], paramiko.Channel]:
        """An open channel: on a kept connection, else on a new one."""
        deadline = time.monotonic() + self._limits.connect
        broken = 0
        while True:
            kept = self._take(host, deadline)
            left = max(1.0, deadline - time.monotonic())
            try:
                return kept, kept.line.transport.open_session(timeout=left)
            except _BROKEN as error:
                full = _is_refusal(error) and kept.line.alive()
                if full:  # the server allows fewer sessions on a connection than we do
                    kept.full()
                self._pool.give_back(kept, retire=not full)
                broken += not full
                if broken > 1 or (full and time.monotonic() >= deadline):
                    reason = "no_session" if full else "broken"
                    raise _unreachable(host, reason, error=type(error).__name__) from error
            time.sleep(random.uniform(0.01, 0.05))

    def _take(self, host: Host, deadline: float) -> Kept[_Connection]:
        def connect() -> _Connection:
            return _Connection(_connected(host, self._secrets, self._limits, deadline))

        try:
            return self._pool.take(_place(host), connect, deadline)
        except Full:
            raise _unreachable(host, "busy") from None
        except Closed:
            raise _unreachable(host, "closed") from None


class _Connection:
    """An authenticated transport, as the pool keeps it."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport

    def alive(self) -> bool:
        return self.transport.is_active()

    def close(self) -> None:
        _close(self.transport)


class _NotBegun(Exception):
    """The command was never let go."""


class _Following:
    """One command on one channel, from its request to its end."""

    def __init__(
        self,
        channel: paramiko.Channel,
        lifeline: Lifeline,
        limits: Limits,
        on_output: OnOutput | None,
    ) -> None:
        self._channel = channel
        self._lifeline = lifeline
        self._limits = limits
        self._stdout, self._stderr = (
            Stream(lifeline.word, limits.output, _told(on_output, name))
            for name in ("stdout", "stderr")
        )
        self._wake = Wake()
        self._started = time.monotonic()
        self._ending = Ending.LOST
        self._may_start = lifeline.leash is None
        self.heard = False
        """Whether the end of the command was heard of."""

    @property
    def session(self) -> int:
        """The command's session on the server; 0 where unknown."""
        return session_of(self._stderr)

    def through(self, cancel: threading.Event) -> Output | None:
        """Follow it to its end; ``None`` where what became of it must be looked up."""
        if cancel.is_set():  # while the connection was being made
            self.heard, self._ending = True, Ending.CANCELLED
            return self.output(True)
        if self._request():
            self._follow(self._started + self._lifeline.seconds, cancel)
        return self._concluded()

    def output(self, gone: bool) -> Output:
        """What is known of a command whose end was not heard of."""
        return self._made(None, self._ending, gone)

    def _request(self) -> bool:
        """Ask for the command; ``False`` where it may have started, but nothing will be heard."""
        channel, leash = self._channel, self._lifeline.leash
        channel.settimeout(self._limits.connect)
        channel.event = Bounded(self._limits.connect)
        channel.in_buffer.set_event(self._wake)
        channel.in_stderr_buffer.set_event(self._wake)
        try:
            channel.exec_command(self._lifeline.line)
            if leash is not None:
                self._tied(leash)
            channel.sendall(self._lifeline.payload)
        except _BROKEN as error:
            if leash is not None and not self._may_start:
                raise _NotBegun(type(error).__name__) from error
            return False
        return True

    def _tied(self, leash: Leash) -> None:
        """Wait until the server's shell is there, and only then ask whether the leash holds."""
        deadline = time.monotonic() + self._limits.connect
        while "ready" not in self._stderr.marks:
            left = deadline - time.monotonic()
            if self._channel.closed or left <= 0:
                raise _NotBegun("closed" if left > 0 else "timeout")
            self._wake.rearm()
            self._drain()
            if "ready" not in self._stderr.marks:
                self._wake.wait(min(_LOOK_SECONDS, left))
        leash.holds()
        self._may_start = True

    def _follow(self, deadline: float, cancel: threading.Event) -> None:
        let_go = False
        while True:
            self._wake.rearm()
            closed = self._channel.closed
            self._drain()
            if closed or (end_of(self._stderr) and "end" in self._stdout.marks):
                return
            now = time.monotonic()
            if let_go and now >= deadline:
                return
            if not let_go and (cancel.is_set() or now >= deadline):
                self._ending = Ending.CANCELLED if cancel.is_set() else Ending.TIMED_OUT
                let_go, deadline = True, now + _LETTING_GO_SECONDS
                with suppress(*_BROKEN):
                    self._channel.shutdown_write()
            self._wake.wait(min(_LOOK_SECONDS, max(0.001, deadline - now)))

    def _drain(self) -> None:
        channel = self._channel
        while channel.recv_ready():
            self._stdout.feed(channel.recv(_CHUNK))
        while channel.recv_stderr_ready():
            self._stderr.feed(channel.recv_stderr(_CHUNK))

    def _concluded(self) -> Output | None:
        end = end_of(self._stderr)
        if end is None and self._channel.closed and not self.session:
            return self._without_shell()
        if end is None:
            return None
        self.heard = True
        if not end.killed:
            return self._made(end.exit, Ending.EXITED, True)
        return self._made(None, self._ending, end.gone)

    def _without_shell(self) -> Output | None:
        """The account's login shell ended before ours began, as ``nologin`` does."""
        status = self._channel.exit_status
        if status < 0:
            return None
        self.heard = True
        return self._made(status, Ending.EXITED, True)

    def _made(self, status: int | None, ending: Ending, gone: bool) -> Output:
        return Output(
            exit=status,
            stdout=self._stdout.finish(),
            stderr=self._stderr.finish(),
            seconds=time.monotonic() - self._started,
            truncated=self._stdout.truncated or self._stderr.truncated,
            ended=ending,
            confirmed_gone=gone,
        )


def _place(host: Host) -> _Place:
    """What makes connections interchangeable: the CMDB's other facts may change meanwhile."""
    return (host.server_id, host.address, host.port, host.account, host.host_key, host.credential)


def _is_refusal(error: Exception) -> bool:
    """Whether the server refused a channel. Of two refusals at once paramiko gives the reason to
    one thread only; the other gets this text."""
    return isinstance(error, paramiko.ChannelException) or "Unable to open" in str(error)


def _told(on_output: OnOutput | None, stream: str) -> Callable[[str], None] | None:
    return (lambda text: on_output(stream, text)) if on_output else None


def _connected(host: Host, secrets: Secrets, limits: Limits, deadline: float) -> paramiko.Transport:
    """A new, verified and authenticated connection."""
    key = _private_key(secrets, host.credential)
    try:
        pinned = hostkey.parse(host.host_key)
    except ValueError:
        raise _unreachable(host, "no_host_key") from None
    while True:
        try:
            return _attempt(host, pinned, key, limits)
        except _BROKEN as error:
            # A server under a burst of log-ins drops some of them before saying anything.
            pause = random.uniform(0.1, 0.4)
            passing = type(error) in (paramiko.SSHException, EOFError, ConnectionResetError)
            if not passing or time.monotonic() + pause >= deadline:
                raise _explained(host, error) from error
            time.sleep(pause)


def _attempt(
    host: Host, pinned: tuple[str, bytes], key: paramiko.PKey, limits: Limits
) -> paramiko.Transport:
    sock = _socket(host, limits.connect)
    transport = paramiko.Transport(sock)
    # paramiko looks ten times a second whether it was closed; _close() wakes it anyway.
    sock.settimeout(1.0)
    transport.banner_timeout = transport.handshake_timeout = limits.connect
    transport.auth_timeout = limits.connect
    try:
        transport.get_security_options().key_types = hostkey.algorithms(pinned[0])
        transport.start_client(timeout=limits.connect)
        offered = transport.get_remote_server_key()
        if (offered.get_name(), offered.asbytes()) != pinned:
            raise _unreachable(host, "host_key")
        if transport.auth_publickey(host.account, key):
            raise paramiko.AuthenticationException  # the key alone is not enough there
        transport.set_keepalive(limits.keepalive)  # type: ignore[arg-type,unused-ignore]
    except BaseException:
        _close(transport)
        raise
    return transport


class _Prompt(socket.socket):
    """Acknowledges at once: sshd holds its first answer back for 40 ms until we have."""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().recv(size, flags)


def _socket(host: Host, seconds: float) -> socket.socket:
    plain = socket.create_connection((host.address, host.port), timeout=seconds)
    sock = _Prompt(fileno=plain.detach())
    # With Nagle's algorithm the next command on an open connection waits for 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    return sock


def _close(transport: paramiko.Transport) -> None:
    with suppress(OSError):  # the other side may have been faster
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    transport.sock.close()


def _private_key(secrets: Secrets, name: str) -> paramiko.PKey:
    text = secrets.get(name)
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(text))
        except (paramiko.SSHException, ValueError):
            continue  # another kind of key
    raise Misconfigured(what=name, why=t("tools.ssh.no_key"))


def _explained(host: Host, error: Exception) -> Unreachable:
    if isinstance(error, IncompatiblePeer):
        # Most likely the pinned key's type is not offered: another host, or a new key.
        return _unreachable(host, "incompatible", error=str(error)[:120])
    if isinstance(error, paramiko.AuthenticationException):
        return _unreachable(host, "refused_key", account=host.account)
    if isinstance(error, TimeoutError):
        return _unreachable(host, "timeout")
    if isinstance(error, socket.gaierror):
        return _unreachable(host, "no_address", address=host.address)
    if isinstance(error, ConnectionRefusedError):
        return _unreachable(host, "no_sshd", address=f"{host.address}:{host.port}")
    return _unreachable(host, "broken", error=type(error).__name__)


def _unreachable(host: Host, reason: str, **values: object) -> Unreachable:
    return Unreachable(server=host.server_id, why=t(f"tools.ssh.{reason}", **values))
