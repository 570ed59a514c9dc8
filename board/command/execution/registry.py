"""Registry of the executors: per action what it does, which right it needs, what it asks first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from guardia.board.command.execution import directives, issue_acts, queries, work
from guardia.board.command.execution.order import Executor
from guardia.board.command.structure import Command
from guardia.board.control.requested_work import CHANGING_WORK


def _changes_server(command: Command) -> bool:
    return command.params.get("action_type") in CHANGING_WORK


def _mode_permission(command: Command) -> str:
    mode = command.params.get("mode")
    return "directive.manual" if mode == "manual" else "directive.return"


def _always(_: Command) -> bool:
    return True


EXECUTORS: Mapping[str, Executor] = MappingProxyType(
    {
        "reassign": Executor(directives.reassign, lambda _: "directive.reassign"),
        "set_mode": Executor(directives.set_mode, _mode_permission),
        "reanalyze": Executor(work.reanalyze, lambda _: "directive.reanalyze"),
        "abort": Executor(directives.abort, lambda _: "directive.abort", _always),
        "rollback": Executor(directives.rollback, lambda _: "directive.rollback", _always),
        "pause": Executor(directives.pause, lambda _: "directive.pause"),
        "resume": Executor(directives.resume, lambda _: "directive.resume"),
        # Words decide nothing: they lead to the page, which checks who may decide.
        "approve": Executor(issue_acts.decide, lambda _: "plan.read"),
        "reject": Executor(issue_acts.decide, lambda _: "plan.read"),
        "set_priority": Executor(directives.set_priority, lambda _: "directive.priority"),
        "run_action": Executor(
            work.run_action, lambda _: "issue.create", _changes_server, _changes_server
        ),
        "wake": Executor(work.wake, lambda _: "agent.wake"),
        "escalate": Executor(issue_acts.escalate, lambda _: "issue.escalate"),
        "comment": Executor(issue_acts.comment, lambda _: "issue.comment"),
        "query": Executor(queries.query, lambda c: queries.PERMISSIONS[c.params["about"]]),
        # Stopping is safe and must be quick: it alone of what ends work asks nothing.
        "kill_all": Executor(work.kill_all, lambda _: "control.kill"),
        "release_all": Executor(work.release_all, lambda _: "control.release", _always),
    }
)
"""Executors by action; `clarify` and `none` carry nothing out."""
