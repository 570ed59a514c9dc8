"""Run one command on a server between its intent and its result in the audit log.

After every intent a result is recorded, even if an error is raised: success, failure, or unknown.
A change whose result is unknown raises `Unsettled`: a read of the server then shows what happened.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn, Protocol

from pydantic import ValidationError

from guardia.board.core.actors import Actor
from guardia.board.core.claims import Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.plan import ToolCall
from guardia.board.execution import commands, inspections
from guardia.board.execution.commands import CommandResult, Intent, PlanStep
from guardia.board.execution.inspections import Inspection
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import (
    CommandFailed,
    Interrupted,
    Refused,
    Stale,
    Unreachable,
    Unreadable,
    Unsettled,
)
from guardia.i18n import t
from guardia.org.directory import Host, PersonInfo
from guardia.tools.command import Command
from guardia.tools.inflight import InFlightCommands, TrackedCommand
from guardia.tools.live_output import LiveOutput, OnOutput
from guardia.tools.output import ExitReason, Output
from guardia.tools.privilege import is_privileged, require_rights
from guardia.tools.tool import Tool
from guardia.tools.transport.supervised_shell import FenceGuard

log = logging.getLogger(__name__)


class Transport(Protocol):
    """Transport that runs commands on hosts, as `transport.connections.Connections` does."""

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
        """Run a command and wait for its end. Raises `Unreachable` if the host does not answer.

        Setting `cancel` ends the command on the host. With a `fence_guard` it starts only while the
        claim is current.
        """
        ...

    def end(self, host: Host, tag: str) -> bool:
        """End every process with this tag on the host. Returns whether none is left."""
        ...

    def offered_key(self, host: Host) -> str:
        """Return the host key that a server offers, without signing in. Raises `Unreachable`."""
        ...


@dataclass(frozen=True, slots=True)
class ReadWatch:
    """How a run of the remote console follows one of its reads."""

    run: int
    cancel: threading.Event
    """Set to end the command on its server."""
    on_output: OnOutput


class RecordedCommands:
    """Sends commands and records each; keeps a result that the board cannot take for later."""

    def __init__(self, board: BoardContext, transport: Transport) -> None:
        self._board = board
        self._transport = transport
        self._lock = threading.Lock()
        self._unrecorded: list[tuple[Intent | Inspection, CommandResult]] = []
        self._live = LiveOutput(board)
        self.in_flight = InFlightCommands()

    def run(
        self, grant: Grant, tool: Tool[Any], call: ToolCall, step: PlanStep | None, host: Host
    ) -> dict[str, Any]:
        """Run a command and return its findings.

        Raises `Unreachable` or `Stale` if it certainly did not start, `CommandFailed` if it failed,
        and `Unsettled` for a change whose result is not known.
        """
        command = _command(tool, call, host)
        self.record_pending()
        with self.in_flight.track(grant.claim, host.server_id) as tracked:
            intent = commands.record_intent(self._board, grant, call, command.masked, step)
            return self._send(intent, tool, host, command, tracked)

    def inspect(
        self,
        by: PersonInfo | Actor,
        tool: Tool[Any],
        call: ToolCall,
        host: Host,
        watch: ReadWatch | None = None,
    ) -> dict[str, Any]:
        """Run a person's read outside of a task and return its findings.

        Raises `Forbidden` and `Refused` before anything is sent, `Unreachable` if it certainly did
        not start, and `CommandFailed` if it failed.
        """
        command = _command(tool, call, host)
        self.record_pending()
        cancel = watch.cancel if watch else None
        with self.in_flight.track(None, host.server_id, cancel) as tracked:
            inspection = inspections.record_inspection(
                self._board, by, host, call, command.masked, watch.run if watch else None
            )
            return self._send(inspection, tool, host, command, tracked, watch)

    def record_pending(self) -> int:
        """Record the results that the board could not take earlier. Returns how many."""
        with self._lock:
            pending, self._unrecorded = self._unrecorded, []
        for number, (intent, result) in enumerate(pending):
            try:
                self._record(intent, result)
            except OUTAGE_ERRORS:
                with self._lock:
                    self._unrecorded += pending[number:]
                raise
        return len(pending)

    def _send(
        self,
        intent: Intent | Inspection,
        tool: Tool[Any],
        host: Host,
        command: Command,
        tracked: TrackedCommand,
        watch: ReadWatch | None = None,
    ) -> dict[str, Any]:
        started, output = time.monotonic(), None
        try:
            with self._following(intent, watch) as on_output:
                output = self._transport.run(
                    host,
                    command,
                    timeout=tool.timeout,
                    cancel=tracked.cancel,
                    on_output=on_output,
                    fence_guard=self._fence_guard(intent),
                )
            tracked.end(output)
            cancelled = output.exit_reason is ExitReason.CANCELLED
            findings = {} if cancelled else _parse(tool, host, command, output)
        except (Unreachable, Stale) as error:
            self._conclude(intent, started, _not_started(str(error)))
            raise
        except OUTAGE_ERRORS as error:
            # The claim could not be confirmed, so the command did not start.
            self._conclude(intent, started, _not_started(type(error).__name__))
            raise
        except Exception as error:
            self._conclude_failed(intent, started, output, error)
        if cancelled:
            self._conclude(intent, started, _failure(interruption_text(output)))
            raise Interrupted(what=_subject(intent))
        self._conclude(intent, started, CommandResult(True, findings, output.stdout, 0))
        return findings

    def _following(
        self, intent: Intent | Inspection, watch: ReadWatch | None
    ) -> AbstractContextManager[OnOutput | None]:
        """Show what a command of an issue or of a run prints while it runs."""
        if isinstance(intent, Intent):
            return self._live.following(intent)
        return nullcontext(watch.on_output if watch else None)

    def _conclude_failed(
        self, intent: Intent | Inspection, started: float, output: Output | None, error: Exception
    ) -> NoReturn:
        """Record a failed command or, if it cannot be known what it did, an unknown result."""
        known = isinstance(error, CommandFailed)
        if not known:
            log.exception("%s: the answer of a server was not handled", intent.call.tool)
        why = str(error) if known else t("gate.unexpected", kind=type(error).__name__)
        ended = output is not None and output.exit_reason is ExitReason.EXITED
        is_read = isinstance(intent, Inspection) or intent.step is None
        if is_read or (known and ended and not isinstance(error, Unreadable)):
            self._conclude(intent, started, _failure(why))
            if known:
                raise error
            raise CommandFailed(tool=intent.call.tool, exit="-", output=why) from error
        self._conclude(intent, started, _failure(why, is_known=False))
        raise Unsettled(tool=intent.call.tool, why=why) from error

    def _fence_guard(self, intent: Intent | Inspection) -> FenceGuard | None:
        """Return the guard that ties a change to its claim. Reads need none."""
        if isinstance(intent, Inspection) or intent.step is None:
            return None
        require_current = partial(commands.require_current, self._board, intent.grant.claim)
        return FenceGuard(step_tag(intent.grant, intent.step), require_current)

    def _conclude(
        self, intent: Intent | Inspection, started: float, outcome: CommandResult
    ) -> None:
        """Record a result, or keep it until the board can take it."""
        milliseconds = round((time.monotonic() - started) * 1000)
        result = replace(outcome, milliseconds=milliseconds)
        try:
            self._record(intent, result)
        except OUTAGE_ERRORS:
            with self._lock:
                self._unrecorded.append((intent, result))
            raise

    def _record(self, intent: Intent | Inspection, result: CommandResult) -> None:
        if isinstance(intent, Inspection):
            inspections.record_inspection_result(self._board, intent, result)
        else:
            commands.record_result(self._board, intent, result)


def _command(tool: Tool[Any], call: ToolCall, host: Host) -> Command:
    """Build the command of a call. Raises `Refused` if its arguments are not valid."""
    try:
        args = tool.args.model_validate(call.args)
    except ValidationError as error:
        raise Refused(why=f"{call.tool}: {error.errors()[0]['msg']}") from error
    return tool.command(args, host)


def _subject(intent: Intent | Inspection) -> str:
    """Return what a person's intervention ended."""
    if isinstance(intent, Inspection):
        return intent.server
    return issue_ref(intent.grant.claim.sr_id)


def _parse(tool: Tool[Any], host: Host, command: Command, output: Output) -> dict[str, Any]:
    if is_privileged(command):
        require_rights(tool.name, host, output)
    return tool.parse(output)


def _failure(why: str, *, is_known: bool = True) -> CommandResult:
    return CommandResult(False, {}, why, 0, is_known)


def _not_started(why: str) -> CommandResult:
    return CommandResult(False, {}, why, 0, started=False)


def interruption_text(output: Output) -> str:
    """Say what is left on the server of a command that was ended."""
    if output.left is None:
        return t("gate.interrupted.unknown")
    if output.left:
        return t("gate.interrupted.left", count=output.left)
    if output.unclear:
        return t("gate.interrupted.unclear", count=output.unclear)
    return t("gate.interrupted.kept" if output.kept else "gate.interrupted.gone", count=output.kept)


def step_tag(grant: Grant, step: PlanStep) -> str:
    """Return the tag that identifies a step of a plan in a server's process list."""
    plan = (grant.plan_hash or "")[:12]
    return f"guardia:{grant.claim.task_id}:{plan}:{step.ordinal}:{step.phase}"
