"""The single gate for remote commands: checks the grant and records every command.

A read needs any grant. A change must be an action of the granted plan, within the risk that its
category allows, and its command must still be the one that was approved.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, NoReturn, Protocol

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from guardia.board.cmdb import view as cmdb
from guardia.board.core.claims import Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.plan import Action, Check, Risk, ToolCall
from guardia.board.execution import commands
from guardia.board.execution.commands import CommandResult, Intent, PlanStep
from guardia.errors import CommandFailed, Interrupted, Refused, Stale, Unreachable
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import catalog, planning, policy
from guardia.tools.check_text import describe_failure
from guardia.tools.command import Command
from guardia.tools.inflight import InFlightCommands
from guardia.tools.output import ExitReason, Output
from guardia.tools.tool import Tool
from guardia.tools.transport.supervised_shell import FenceGuard

_POLL_SECONDS = (0.2, 0.4, 0.8, 1.5, 3.0)
"""Seconds between attempts while a check waits; the last value repeats."""


class Transport(Protocol):
    """Transport that runs commands on hosts, as `transport.connections.Connections` does."""

    def run(
        self,
        host: Host,
        command: Command,
        *,
        timeout: float,
        cancel: threading.Event | None = None,
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


class ActionStatus(StrEnum):
    """How one action ended."""

    DONE = "done"
    NOT_STARTED = "not_started"
    """A precheck failed: the server is not as the plan assumed. Nothing was changed."""
    FAILED = "failed"
    """The command failed or its effect could not be verified; it must be undone."""


@dataclass(frozen=True, slots=True)
class ActionReport:
    """How one action ended, and why."""

    result: ActionStatus
    why: str = ""
    lost: bool = False
    """Whether the server could not be reached, so that its state is unknown."""


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that failed, with the findings that it met instead."""

    check: Check
    found: dict[str, Any] | None

    def __str__(self) -> str:
        plain = {k: v for k, v in (self.found or {}).items() if not isinstance(v, list | dict)}
        return describe_failure(self.check.expect, plain) or t(
            "gate.unmet",
            title=t(f"tools.{self.check.call.tool}.title"),
            expect=self.check.expect,
            found=", ".join(f"{k}={v}" for k, v in plain.items()) or "-",
        )


class Gate:
    """Runs reads, changes and rollbacks on servers, one recorded command at a time."""

    def __init__(
        self,
        board: BoardContext,
        transport: Transport,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._board = board
        self._transport = transport
        self._sleep = sleep
        self.in_flight = InFlightCommands()

    def interrupt(self) -> int:
        """End the commands whose claims are no longer current. Returns how many were cancelled."""
        return self.in_flight.interrupt(self._board)

    def close(self) -> None:
        """End all commands on their servers and accept no more, before the process exits."""
        self.in_flight.close()

    def host(self, grant: Grant) -> Host:
        """Return the server that a grant is for."""
        return cmdb.server(self._board, grant.server_id)

    def read(self, grant: Grant, call: ToolCall) -> dict[str, Any]:
        """Run a read and return its findings.

        Raises `CommandFailed`, `Unreachable` or `Refused`.
        """
        tool = catalog.find(call.tool)
        if tool.risk is not Risk.READ:
            raise Refused(why=t("gate.not_a_read", tool=call.tool))
        return self._run(grant, tool, call, None)

    def first_failed(self, grant: Grant, checks: tuple[Check, ...]) -> FailedCheck | None:
        """Return the first check that fails, or `None`."""
        return next((failed for c in checks if (failed := self._failed_check(grant, c))), None)

    def execute(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Run the prechecks, the command and the verification of one action of the granted plan."""
        tool = self._require_allowed(grant, action)
        failed = self.first_failed(grant, action.precheck)
        if failed is not None:
            return ActionReport(ActionStatus.NOT_STARTED, t("gate.precheck", check=failed))
        try:
            self._run(grant, tool, action.call, PlanStep(ordinal, "do"))
        except Unreachable as error:
            # The transport raises this only for a command that certainly did not start.
            return ActionReport(ActionStatus.NOT_STARTED, str(error))
        except CommandFailed as error:
            return ActionReport(ActionStatus.FAILED, str(error))
        failed = self.first_failed(grant, action.verify)
        if failed is not None:
            return ActionReport(ActionStatus.FAILED, t("gate.verify", check=failed))
        return ActionReport(ActionStatus.DONE)

    def undo(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Undo one action and verify the result."""
        if action.undo is None:
            return ActionReport(ActionStatus.FAILED, action.irreversible or "")
        tool = self._require_allowed(grant, action)
        try:
            self._run(grant, catalog.find(action.undo.tool), action.undo, PlanStep(ordinal, "undo"))
        except (CommandFailed, Unreachable) as error:
            lost = isinstance(error, Unreachable)
            return ActionReport(ActionStatus.FAILED, str(error), lost)
        failed = self.first_failed(grant, action.undo_verify)
        if failed is not None:
            return ActionReport(ActionStatus.FAILED, t("gate.verify", check=failed))
        assert tool is not None
        return ActionReport(ActionStatus.DONE)

    def ensure_stopped(self, grant: Grant, step: PlanStep) -> None:
        """Make sure that no process of an interrupted step runs on the server, now or later.

        Called before the state of a step is inspected whose worker never reported a result. Raises
        `Unreachable` if this cannot be confirmed.
        """
        host = self.host(grant)
        if not self._transport.end(host, _tag(grant, step)):
            raise Unreachable(server=host.server_id, why=t("gate.still_runs"))

    def _require_allowed(self, grant: Grant, action: Action) -> Tool[Any]:
        """Return the action's tool.

        Raises `Refused` if its risk exceeds the grant's category or if the action would no longer
        be planned the same way.
        """
        tool = catalog.find(action.call.tool)
        if not policy.covers(grant.category, tool.risk):
            raise Refused(why=t("gate.risk", tool=tool.name, category=grant.category))
        if not planning.propose(action.call, self.host(grant)).runs_like(action):
            raise Refused(why=t("gate.drift", tool=tool.name))
        return tool

    def _failed_check(self, grant: Grant, check: Check) -> FailedCheck | None:
        """Evaluate a check repeatedly until it passes or its `within` seconds are over."""
        deadline = time.monotonic() + check.within
        pauses = itertools.chain(_POLL_SECONDS, itertools.repeat(_POLL_SECONDS[-1]))
        while True:
            found = self._evaluate(grant, check)
            if _is_satisfied(check, found):
                return None
            if time.monotonic() >= deadline:
                return FailedCheck(check, found)
            self._sleep(next(pauses))

    def _evaluate(self, grant: Grant, check: Check) -> dict[str, Any] | None:
        try:
            return self.read(grant, check.call)
        except (CommandFailed, Unreachable):
            # A service that does not answer the read fails the check.
            return None

    def _run(
        self, grant: Grant, tool: Tool[Any], call: ToolCall, step: PlanStep | None
    ) -> dict[str, Any]:
        host = self.host(grant)
        try:
            args = tool.args.model_validate(call.args)
        except ValidationError as error:
            raise Refused(why=f"{call.tool}: {error.errors()[0]['msg']}") from error
        command = tool.command(args, host)
        with self.in_flight.track(grant.claim) as cancel:
            intent = commands.record_intent(self._board, grant, call, command.masked, step)
            return self._send(intent, tool, host, command, cancel)

    def _send(
        self,
        intent: Intent,
        tool: Tool[Any],
        host: Host,
        command: Command,
        cancel: threading.Event,
    ) -> dict[str, Any]:
        started = time.monotonic()
        fence_guard = self._fence_guard(intent)
        try:
            output = self._transport.run(
                host, command, timeout=tool.timeout, cancel=cancel, fence_guard=fence_guard
            )
            if output.exit_reason is not ExitReason.CANCELLED:
                findings = tool.parse(output)
        except (CommandFailed, Unreachable, Stale) as error:
            self._conclude(intent, started, CommandResult(False, {}, str(error), 0))
            raise
        if output.exit_reason is ExitReason.CANCELLED:
            self._interrupted(intent, started, output)
        self._conclude(intent, started, CommandResult(True, findings, output.stdout, 0))
        return findings

    def _fence_guard(self, intent: Intent) -> FenceGuard | None:
        """Return the guard that ties a change to its claim. Reads need none."""
        if intent.step is None:
            return None
        require_current = partial(commands.require_current, self._board, intent.grant.claim)
        return FenceGuard(_tag(intent.grant, intent.step), require_current)

    def _interrupted(self, intent: Intent, started: float, output: Output) -> NoReturn:
        """Record the cancelled command and raise `Interrupted`: its findings are not used."""
        gone = "gone" if output.is_confirmed_gone else "not_gone"
        self._conclude(intent, started, CommandResult(False, {}, t(f"gate.interrupted.{gone}"), 0))
        raise Interrupted(what=issue_ref(intent.grant.claim.sr_id))

    def _conclude(self, intent: Intent, started: float, outcome: CommandResult) -> None:
        milliseconds = round((time.monotonic() - started) * 1000)
        commands.record_result(
            self._board,
            intent,
            CommandResult(outcome.ok, outcome.findings, outcome.output, milliseconds),
        )


def _tag(grant: Grant, step: PlanStep) -> str:
    """Return the tag that identifies a step of a plan in a server's process list."""
    plan = (grant.plan_hash or "")[:12]
    return f"guardia:{grant.claim.task_id}:{plan}:{step.ordinal}:{step.phase}"


def _is_satisfied(check: Check, found: dict[str, Any] | None) -> bool:
    try:
        return bool(jmespath.search(check.expect, found))
    except (JMESPathError, TypeError):
        # A finding of an unexpected type fails the check as well.
        return False
