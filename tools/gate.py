"""The single gate for remote commands: checks the grant and records every command.

A read needs any grant. A change must be an action of the granted plan, within the risk that its
category allows, its command must still be the one that was approved, and an operator must have
enabled a tool that was written by a manual only.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from guardia.board.cmdb import view as cmdb
from guardia.board.core.actors import Actor
from guardia.board.core.claims import Grant
from guardia.board.core.context import BoardContext
from guardia.board.core.plan import Action, Check, Risk, ToolCall
from guardia.board.execution import commands
from guardia.board.execution.commands import PlanStep
from guardia.errors import CommandFailed, Refused, Unreachable, Unsettled
from guardia.i18n import t
from guardia.org.directory import Host, PersonInfo
from guardia.tools import catalog, enabled, planning, policy
from guardia.tools.check_text import describe_failure
from guardia.tools.host_key_watch import HostKeyWatch
from guardia.tools.inflight import InFlightCommands, StopReport
from guardia.tools.recorded_commands import ReadWatch, RecordedCommands, Transport, step_tag
from guardia.tools.tool import Tool

_POLL_SECONDS = (0.2, 0.4, 0.8, 1.5, 3.0)
"""Seconds between attempts while a check waits; the last value repeats."""


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
    why: str = ""
    """Why there are no findings."""

    def __str__(self) -> str:
        if self.why:
            return f"{t(f'tools.{self.check.call.tool}.title')}: {self.why}"
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
        self._transport = transport = HostKeyWatch(board, transport)
        self._sleep = sleep
        self._recorded = RecordedCommands(board, transport)

    @property
    def in_flight(self) -> InFlightCommands:
        """The commands of this process that run now."""
        return self._recorded.in_flight

    def record_pending(self) -> int:
        """Record the results that the board could not take while it was away; return how many."""
        return self._recorded.record_pending()

    def interrupt(self) -> int:
        """End the commands whose claims are no longer current. Returns how many were cancelled."""
        return self.in_flight.interrupt(self._board)

    def stop_commands(self, seconds: float = 2.0) -> StopReport:
        """End every running command at once and start none until `allow_commands`.

        Needs neither database nor board. Returns what is left on each host, after `seconds` at the
        latest.
        """
        return self.in_flight.stop(seconds)

    def allow_commands(self) -> None:
        """Accept commands again after `stop_commands`."""
        self.in_flight.allow()

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
        return self._recorded.run(grant, _require_read(call), call, None, self.host(grant))

    def inspect(
        self,
        by: PersonInfo | Actor,
        server: str | Host,
        call: ToolCall,
        watch: ReadWatch | None = None,
    ) -> dict[str, Any]:
        """Run a person's read outside of a task and return its findings.

        `server` is an id of the CMDB, or the value of a server that is being enrolled; `watch`
        follows and ends it. Raises
        `Forbidden` and `Refused` before anything is sent, `CommandFailed` and `Unreachable`.
        """
        host = server if isinstance(server, Host) else cmdb.server(self._board, server)
        return self._recorded.inspect(by, _require_read(call), call, host, watch)

    def first_failed(self, grant: Grant, checks: tuple[Check, ...]) -> FailedCheck | None:
        """Return the first check that fails, or `None`."""
        return next((failed for c in checks if (failed := self._failed_check(grant, c))), None)

    def execute(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Run the prechecks, the command and the verification of one action of the granted plan.

        Raises `RuleBroken` if a rule of the site forbids the command now: nothing was changed.
        """
        tool = self._require_allowed(grant, action)
        enabled.require_enabled(tool)
        failed = self.first_failed(grant, action.precheck)
        if failed is not None:
            return ActionReport(ActionStatus.NOT_STARTED, t("gate.precheck", check=failed))
        step = PlanStep(ordinal, "do")
        try:
            self._recorded.run(grant, tool, action.call, step, self.host(grant))
        except Unreachable as error:
            # The transport raises this only for a command that certainly did not start.
            return ActionReport(ActionStatus.NOT_STARTED, str(error))
        except Unsettled as error:
            return self._settle(grant, step, action.effect, action.verify, error)
        except CommandFailed as error:
            return ActionReport(ActionStatus.FAILED, str(error))
        return self._verified(grant, action.verify)

    def undo(self, grant: Grant, ordinal: int, action: Action) -> ActionReport:
        """Undo one action and verify the result."""
        if action.undo is None:
            return ActionReport(ActionStatus.FAILED, action.irreversible or "")
        self._require_undoable(grant, action)
        tool, step = catalog.find(action.undo.tool), PlanStep(ordinal, "undo")
        try:
            self._recorded.run(grant, tool, action.undo, step, self.host(grant))
        except Unsettled as error:
            return self._settle(grant, step, action.effect, action.undo_verify, error)
        except (CommandFailed, Unreachable) as error:
            lost = isinstance(error, Unreachable)
            return ActionReport(ActionStatus.FAILED, str(error), lost)
        return self._verified(grant, action.undo_verify)

    def _verified(self, grant: Grant, checks: tuple[Check, ...]) -> ActionReport:
        failed = self.first_failed(grant, checks)
        if failed is not None:
            return ActionReport(ActionStatus.FAILED, t("gate.verify", check=failed))
        return ActionReport(ActionStatus.DONE)

    def _settle(
        self,
        grant: Grant,
        step: PlanStep,
        effect: str,
        checks: tuple[Check, ...],
        error: Unsettled,
    ) -> ActionReport:
        """Read the server to see whether a step took effect whose result is not known."""
        why, happened, lost = str(error), False, False
        try:
            self.ensure_stopped(grant, step)
            happened = bool(checks) and self.first_failed(grant, checks) is None
        except Unreachable as unreachable:
            why, lost = f"{why} {unreachable}", True
        commands.resolve_unknown(self._board, grant, step, happened=happened)
        if happened:
            return ActionReport(ActionStatus.DONE)
        return ActionReport(ActionStatus.FAILED, t("gate.unsettled", effect=effect, why=why), lost)

    def ensure_stopped(self, grant: Grant, step: PlanStep) -> None:
        """Make sure that no process of an interrupted step runs on the server, now or later.

        Called before the state of a step is inspected whose worker never reported a result. Raises
        `Unreachable` if this cannot be confirmed.
        """
        host = self.host(grant)
        if not self._transport.end(host, step_tag(grant, step)):
            raise Unreachable(server=host.server_id, why=t("gate.still_runs"))

    def _require_allowed(self, grant: Grant, action: Action) -> Tool[Any]:
        """Return the action's tool.

        Raises `Refused` if its risk exceeds the grant's category or if the action would no longer
        be planned the same way.
        """
        tool = _require_covered(grant, action)
        if not planning.propose_again(action, self.host(grant)).runs_like(action):
            raise Refused(why=t("gate.drift", tool=tool.name))
        return tool

    def _require_undoable(self, grant: Grant, action: Action) -> None:
        """Raise `Refused` if the risk exceeds the grant's category, or if the undo is another."""
        tool = _require_covered(grant, action)
        if not planning.propose_again(action, self.host(grant)).undoes_like(action):
            raise Refused(why=t("gate.drift", tool=tool.name))

    def _failed_check(self, grant: Grant, check: Check) -> FailedCheck | None:
        """Evaluate a check repeatedly until it passes or its `within` seconds are over."""
        deadline = time.monotonic() + check.within
        pauses = itertools.chain(_POLL_SECONDS, itertools.repeat(_POLL_SECONDS[-1]))
        while True:
            found, why = self._evaluate(grant, check)
            if is_satisfied(check, found):
                return None
            if time.monotonic() >= deadline:
                return FailedCheck(check, found, why)
            self._sleep(next(pauses))

    def _evaluate(self, grant: Grant, check: Check) -> tuple[dict[str, Any] | None, str]:
        """Return the findings of a check, or why there are none."""
        try:
            return self.read(grant, check.call), ""
        except (CommandFailed, Unreachable) as error:
            # A service that does not answer the read fails the check.
            return None, str(error)


def _require_covered(grant: Grant, action: Action) -> Tool[Any]:
    """Return the action's tool. Raises `Refused` if its risk exceeds the grant's category."""
    tool = catalog.find(action.call.tool)
    if not policy.covers(grant.category, tool.risk):
        raise Refused(why=t("gate.risk", tool=tool.name, category=grant.category))
    return tool


def _require_read(call: ToolCall) -> Tool[Any]:
    """Return the tool of a call. Raises `Refused` if it is not a read."""
    tool = catalog.find(call.tool)
    if tool.risk is not Risk.READ:
        raise Refused(why=t("gate.not_a_read", tool=call.tool))
    return tool


def is_satisfied(check: Check, found: dict[str, Any] | None) -> bool:
    """Return whether findings satisfy a check."""
    if found is None:  # `!present` would hold for a server that did not answer
        return False
    try:
        return bool(jmespath.search(check.expect, found))
    except (JMESPathError, TypeError):
        # A finding of an unexpected type fails the check as well.
        return False
