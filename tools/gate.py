"""The one gate: every remote command passes here, with a grant, and is on the record.

A read needs any grant. A change must be the granted plan's own action, within the risk that its
category allows, and its commands must still be the ones that were approved.
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
from guardia.tools.command import Command
from guardia.tools.inflight import InFlightCommands
from guardia.tools.tool import Tool
from guardia.tools.transport.connections import ExitReason, Output
from guardia.tools.transport.supervised_shell import FenceGuard
from guardia.tools.unmet import describe

_POLL_SECONDS = (0.2, 0.4, 0.8, 1.5, 3.0)
"""Seconds between looks while a check waits; the last one repeats."""


class Transport(Protocol):
    """What carries a command to a host: ``tools.ssh.Connections``."""

    def run(
        self,
        host: Host,
        command: Command,
        *,
        timeout: float,
        cancel: threading.Event | None = None,
        fence_guard: FenceGuard | None = None,
    ) -> Output:
        """Run it and wait; ``Unreachable`` where the host does not answer. Setting ``cancel``
        ends it on the host; with a ``leash`` it starts only while that holds."""
        ...

    def end(self, host: Host, tag: str) -> bool:
        """End whatever is on that leash on the host; whether nothing of it is left."""
        ...


class ActionStatus(StrEnum):
    """How one action ended."""

    DONE = "done"
    NOT_STARTED = "not_started"
    """A precheck did not hold: the server is not as the plan assumed. Nothing was changed."""
    FAILED = "failed"
    """The command failed or its effect could not be verified: undo it."""


@dataclass(frozen=True, slots=True)
class ActionReport:
    """How one action ended, and why."""

    result: ActionStatus
    why: str = ""


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that does not hold, with what was found instead."""

    check: Check
    found: dict[str, Any] | None

    def __str__(self) -> str:
        plain = {k: v for k, v in (self.found or {}).items() if not isinstance(v, list | dict)}
        return describe(self.check.expect, plain) or t(
            "gate.unmet",
            title=t(f"tools.{self.check.call.tool}.title"),
            expect=self.check.expect,
            found=", ".join(f"{k}={v}" for k, v in plain.items()) or "-",
        )


class Gate:
    """Reads, changes and undoes on servers, one recorded command at a time."""

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
        """End the commands whose agents no longer hold their task; how many were told to."""
        return self.in_flight.interrupt(self._board)

    def close(self) -> None:
        """End all commands on their servers and begin no more: this process is to end."""
        self.in_flight.close()

    def host(self, grant: Grant) -> Host:
        """The server that a grant is for."""
        return cmdb.server(self._board, grant.server_id)

    def read(self, grant: Grant, call: ToolCall) -> dict[str, Any]:
        """Run a read and return its findings; ``CommandFailed``, ``Unreachable`` or ``Refused``."""
        tool = catalog.find(call.tool)
        if tool.risk is not Risk.READ:
            raise Refused(why=t("gate.not_a_read", tool=call.tool))
        return self._run(grant, tool, call, None)

    def first_failed(self, grant: Grant, checks: tuple[Check, ...]) -> FailedCheck | None:
        """The first of ``checks`` that does not hold, or ``None``."""
        return next((unmet for c in checks if (unmet := self._unmet(grant, c))), None)

    def execute(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Pre-check, do and verify one action of the granted plan."""
        tool = self._require_allowed(grant, action)
        unmet = self.first_failed(grant, action.precheck)
        if unmet is not None:
            return ActionReport(ActionStatus.NOT_STARTED, t("gate.precheck", check=unmet))
        try:
            self._run(grant, tool, action.call, PlanStep(ordinal, "do"))
        except Unreachable as error:
            # The hands raise this only for what has surely not begun.
            return ActionReport(ActionStatus.NOT_STARTED, str(error))
        except CommandFailed as error:
            return ActionReport(ActionStatus.FAILED, str(error))
        unmet = self.first_failed(grant, action.verify)
        if unmet is not None:
            return ActionReport(ActionStatus.FAILED, t("gate.verify", check=unmet))
        return ActionReport(ActionStatus.DONE)

    def undo(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Undo one action and verify that it is undone."""
        if action.undo is None:
            return ActionReport(ActionStatus.FAILED, action.irreversible or "")
        tool = self._require_allowed(grant, action)
        try:
            self._run(grant, catalog.find(action.undo.tool), action.undo, PlanStep(ordinal, "undo"))
        except (CommandFailed, Unreachable) as error:
            return ActionReport(ActionStatus.FAILED, str(error))
        unmet = self.first_failed(grant, action.undo_verify)
        if unmet is not None:
            return ActionReport(ActionStatus.FAILED, t("gate.verify", check=unmet))
        assert tool is not None
        return ActionReport(ActionStatus.DONE)

    def ensure_stopped(self, grant: Grant, step: PlanStep) -> None:
        """Before looking at what became of a step whose worker has told nothing: make sure that
        nothing of it runs on the server any more, or ever will. ``Unreachable`` where that cannot
        be made sure of."""
        host = self.host(grant)
        if not self._transport.end(host, _tag(grant, step)):
            raise Unreachable(server=host.server_id, why=t("gate.still_runs"))

    def _require_allowed(self, grant: Grant, action: Action) -> Tool[Any]:
        """The action's tool, if the grant's category allows it and nothing changed since."""
        tool = catalog.find(action.call.tool)
        if not policy.covers(grant.category, tool.risk):
            raise Refused(why=t("gate.risk", tool=tool.name, category=grant.category))
        if planning.propose(action.call, self.host(grant)) != action:
            raise Refused(why=t("gate.drift", tool=tool.name))
        return tool

    def _unmet(self, grant: Grant, check: Check) -> FailedCheck | None:
        """Look again and again until the check holds or ``within`` seconds have passed."""
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
            # A service that does not answer the question does not fulfil the expectation.
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
        """A change reaches the server only while its agent holds the task, to the last moment."""
        if intent.step is None:
            return None
        holds = partial(commands.require_current, self._board, intent.grant.claim)
        return FenceGuard(_tag(intent.grant, intent.step), holds)

    def _interrupted(self, intent: Intent, started: float, output: Output) -> NoReturn:
        """A person has ordered otherwise: the agent learns nothing from it and goes no further."""
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
    """Names one step of one task's plan among a server's processes."""
    plan = (grant.plan_hash or "")[:12]
    return f"guardia:{grant.claim.task_id}:{plan}:{step.ordinal}:{step.phase}"


def _is_satisfied(check: Check, found: dict[str, Any] | None) -> bool:
    try:
        return bool(jmespath.search(check.expect, found))
    except (JMESPathError, TypeError):
        # A finding of another type than expected does not fulfil the expectation either.
        return False
