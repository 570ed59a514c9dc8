"""`guardia show | approve | reject | ask-changes`: the same decisions as on the issue page."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref, parse_issue_ref
from guardia.cli.installation import open_installation
from guardia.errors import Invalid, NotFound, SignInFailed
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.approvals.pending import PendingPlan
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import PersonInfo

_Number = Annotated[str, typer.Argument(help=t("cli.issue.number"))]
_As = Annotated[str, typer.Option("--as", help=t("cli.issue.as"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("cli.issue.reason"))]


def show(number: _Number) -> None:
    """Print an issue with its plans and their decisions."""
    with open_installation(Settings()) as installation, installation.board() as board:
        _print_issue(board, parse_issue_number(number))


def decision_command(verdict: str) -> Callable[[str, str, str], None]:
    """Return the command for `approve`, `reject` or `change`.

    It shows the plan that waits on an issue, then submits the decision.
    """

    def decide(number: _Number, who: _As, reason: _Reason = "") -> None:
        from guardia.board.approvals import decisions, pending
        from guardia.board.approvals.policy import DecisionVerdict

        sr_id = parse_issue_number(number)
        with open_installation(Settings()) as installation, installation.board() as board:
            _print_issue(board, sr_id)
            person = authenticate(board, who)
            plans = pending.pending_plans(board, sr_id)
            if not plans:
                raise Invalid(what=issue_ref(sr_id), why=t("cli.issue.none_waiting", sr=sr_id))
            for plan in plans:
                word, bound = DecisionVerdict(verdict), plan.plan_hash
                state = decisions.submit_decision(board, person, plan.task_id, word, bound, reason)
                done = t("cli.issue.decided", sr=sr_id, state=t(f"state.{state}"))
                sys.stdout.write(done + "\n")

    return decide


def _print_issue(board: BoardContext, sr_id: int) -> None:
    from guardia.board.approvals import pending
    from guardia.board.issues import view

    issue = view.issue(board, sr_id)
    console = Console()
    console.print(f"[bold]{issue_ref(sr_id)}[/] {t(f'state.{issue.state}')}", highlight=False)
    console.print(issue.title, markup=False, highlight=False)
    for waiting in pending.pending_plans(board, sr_id):
        console.print(waiting.plan.because, markup=False, highlight=False)
        console.print(_approval_status(waiting), markup=False, highlight=False)
        table = Table(t("cli.issue.effect"), t("cli.issue.command"))
        for action in waiting.plan.actions:
            table.add_row(action.effect, action.command)
        console.print(table, markup=False)


def _approval_status(waiting: PendingPlan) -> str:
    from guardia.board.core.labels import format_time

    words = {"role": t(f"org.role.{waiting.role}")}
    due = format_time(waiting.due_at) if waiting.due_at else "-"
    return t("cli.issue.turn", given=waiting.given, quorum=waiting.quorum, due=due, **words)


def authenticate(board: BoardContext, who: str) -> PersonInfo:
    """Return the person of an account, proven by the password.

    The password comes from the environment or from a prompt.
    """
    from guardia.board.accounts import sign_in

    password = os.environ.get("GUARDIA_PASSWORD") or typer.prompt(
        t("cli.issue.password", who=who), hide_input=True
    )
    person = sign_in.authenticate(board, who, password)
    if person is None:
        raise SignInFailed()
    return person


def parse_issue_number(number: str) -> int:
    """Parse an issue's number as people write it. Raises `NotFound` if it is not one."""
    found = parse_issue_ref(number)
    if found is None:
        raise NotFound(what=number)
    return found
