"""Transport over kept SSH connections.

`Unreachable` always means that the command certainly did not start. A command that may have started
is never sent again; `run` then returns what is known of its end.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import paramiko

from guardia.errors import GuardiaError, Unreachable
from guardia.org.directory import Host
from guardia.tools.command import MASK, Command, Secret
from guardia.tools.output import ExitReason, Output
from guardia.tools.transport.channel import CommandNotStarted, OnOutput, RunningCommand
from guardia.tools.transport.channels import Channels
from guardia.tools.transport.connect import CONNECTION_ERRORS, unreachable
from guardia.tools.transport.events import BoundedEvent
from guardia.tools.transport.fair_limit import FairLimit
from guardia.tools.transport.kept_shell import KeptShell
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.refusals import RefusedSecrets
from guardia.tools.transport.sftp import ContentStore, Transfer
from guardia.tools.transport.sign_in import SecretStore
from guardia.tools.transport.supervised_shell import (
    FenceGuard,
    SupervisedCommand,
    terminate_command,
)
from guardia.tools.transport.way import Way, way_to

_REFUSED_EXEC = "exec: restricted"
"""What a restricted bash or ksh says if it is to replace itself."""

# Without a handler, paramiko would log to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Connections:
    """Kept connections to any number of hosts; thread-safe."""

    def __init__(
        self,
        secrets: SecretStore,
        limits: TransportLimits | None = None,
        contents: ContentStore | None = None,
    ) -> None:
        self._secrets = secrets
        self._contents = contents
        self._limits = limits or TransportLimits()
        self._restricted: set[Way] = set()
        self._refused = RefusedSecrets(secrets)
        self._channels = Channels(secrets, self._limits, self._refused)
        self._server_commands: FairLimit[str] = FairLimit(self._limits.server_commands)
        self._commands: FairLimit[str] = FairLimit(self._limits.institution_commands)

    def run(
        self,
        host: Host,
        command: Command,
        *,
        timeout: float,
        cancel: threading.Event | None = None,
        on_output: OnOutput | None = None,
        fence_guard: FenceGuard | None = None,
    ) -> Output:
        """Run `command` and wait for its end, at most `timeout` seconds.

        Setting `cancel` ends it on the server. With a `fence_guard` it starts only while the claim
        is current. Raises `Unreachable` if it certainly did not start, `Stale` if the claim is not
        current.
        """
        cancel = cancel or threading.Event()
        if cancel.is_set():
            return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
        if command.upload is not None:
            transfer = Transfer(self, self._contents, host, command.upload, fence_guard)
            if not transfer.run(cancel):
                return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
        sent = command.with_secrets(self._secrets.get)
        supervised = SupervisedCommand(sent, timeout, fence_guard)
        supervised = replace(supervised, keeps_shell=supervised.fits_kept_shell)
        on_output = _without_secrets(sent, on_output)
        with self._turn(host, cancel) as is_next:
            if not is_next:
                return Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
            with self._refused.sudo(host, command) as attempt:
                running, output = self._execute(host, supervised, cancel, on_output)
                attempt.append(output)
        if output is None and running.is_refused:  # the same shell would not answer either
            return running.output(None)
        return output or running.output(*self._count_left(host, running))

    def end(self, host: Host, tag: str) -> bool:
        """End every process with this tag on the server, also those started by another worker.

        Returns whether none is left. Waits for no turn. Raises `Unreachable` if the server cannot
        be asked.
        """
        ending = SupervisedCommand(terminate_command(tag), self._limits.termination + 5)
        _, output = self._execute(host, ending, threading.Event())
        return output is not None and output.exit == 0

    def offered_key(self, host: Host) -> str:
        """Return the public key that a server offers, as the CMDB holds it, without signing in.

        Nothing vouches for it: a person must confirm it. Raises `Unreachable`.
        """
        return self._channels.offered_key(host)

    @contextmanager
    def sftp(self, host: Host) -> Iterator[paramiko.SFTPClient]:
        """Open an SFTP channel on a kept connection for the block.

        Each read and write waits at most the limit for connecting. Raises `Unreachable` if the
        channel cannot be opened; within the block, paramiko's errors pass.
        """
        pooled, channel = self._channels.open(host)
        broken = True
        try:
            yield self._start_sftp(host, channel)
            broken = False
        finally:
            channel.close()
            self._channels.release(pooled, retire=broken)

    def _start_sftp(self, host: Host, channel: paramiko.Channel) -> paramiko.SFTPClient:
        channel.settimeout(self._limits.connect)
        channel.event = BoundedEvent(self._limits.connect)
        try:
            channel.invoke_subsystem("sftp")
            return paramiko.SFTPClient(channel)
        except (*CONNECTION_ERRORS, paramiko.SFTPError) as error:
            raise unreachable(host, "no_sftp", {"error": error}) from error

    def close(self) -> None:
        """Close all connections, which ends everything that still runs over them."""
        self._channels.close()

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _execute(
        self,
        host: Host,
        supervised: SupervisedCommand,
        cancel: threading.Event,
        on_output: OnOutput | None = None,
    ) -> tuple[RunningCommand, Output | None]:
        """Run one command to its end, in a way that a restricted login shell permits."""
        restricted = way_to(host) in self._restricted
        supervised = replace(supervised, may_exec=not restricted)
        try:
            running, output = self._attempt(host, supervised, cancel, on_output)
            said = output.stderr if output and output.no_shell else ""
        except Unreachable as error:
            if _REFUSED_EXEC not in str(error.detail.get("said", "")) or restricted:
                raise
            said = _REFUSED_EXEC
        if _REFUSED_EXEC in said and not restricted:
            self._restricted.add(way_to(host))
            return self._execute(host, supervised, cancel, on_output)
        return running, output

    def _attempt(
        self,
        host: Host,
        supervised: SupervisedCommand,
        cancel: threading.Event,
        on_output: OnOutput | None = None,
    ) -> tuple[RunningCommand, Output | None]:
        """Run one command to its end. Returns no output if its end was not received."""
        shell: KeptShell | None = None
        if supervised.keeps_shell:
            pooled, channel, shell = self._channels.take(host)
        else:
            pooled, channel = self._channels.open(host)
        if shell is not None:
            supervised = replace(supervised, id=shell.id)
        running = RunningCommand(channel, supervised, self._limits, on_output, shell is not None)
        try:
            return running, running.wait_for_end(cancel)
        except CommandNotStarted as error:
            if cancel.is_set():
                return running, Output(None, "", "", 0.0, exit_reason=ExitReason.CANCELLED)
            if shell is None:
                why = {"error": error, "said": error.said}
                raise unreachable(host, error.reason, why) from None
        finally:
            if running.is_unanswered:
                self._channels.record_silence(host)
            if running.keeps_shell:
                pooled.connection.keep_shell(KeptShell(channel, supervised.id, supervised.marker))
            else:
                channel.close()
            # A connection that lost the end of a command is not reused for the next one.
            self._channels.release(pooled, retire=not running.end_seen)
        return self._attempt(host, supervised, cancel, on_output)

    def _count_left(self, host: Host, running: RunningCommand) -> tuple[int | None, int]:
        """Ask the server in a second command how much of the first is left, and how much unclear.

        The first is `None` if the server does not say.
        """
        look = SupervisedCommand(running.gone_check(), self._limits.termination)
        try:
            _, output = self._execute(host, look, threading.Event())
        except GuardiaError:
            return None, 0
        counts = re.fullmatch(r"([0-9]{1,6}) ([0-9]{1,6})\n", output.stdout if output else "")
        return (int(counts[1]), int(counts[2])) if counts else (None, 0)

    @contextmanager
    def _turn(self, host: Host, cancel: threading.Event) -> Iterator[bool]:
        """Wait for a turn among the commands of the server, then of its institution.

        Yields false if it was cancelled before. Raises `Unreachable` if the limit for waiting is
        over.
        """
        deadline = time.monotonic() + self._limits.wait
        places = ((self._server_commands, host.server_id), (self._commands, host.institution))
        with ExitStack() as taken:
            for limit, key in places:
                if not limit.take(key, deadline, cancel.is_set):
                    if not cancel.is_set():
                        raise unreachable(host, "too_many_commands")
                    yield False
                    return
                taken.callback(limit.give_back, key)
            yield True


def _without_secrets(sent: Command, on_output: OnOutput | None) -> OnOutput | None:
    """Mask the secrets of a command's input in what is shown while it runs."""
    secrets = [p.reveal().strip() for p in sent.stdin if isinstance(p, Secret)]
    if on_output is None or not any(secrets):
        return on_output

    def masked(stream: str, text: str) -> None:
        for secret in filter(None, secrets):
            text = text.replace(secret, MASK)
        on_output(stream, text)

    return masked
