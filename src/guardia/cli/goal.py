"""`guardia goal`: give the dispatcher a goal, and show how goals progress."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.board.core.issue_ref import is_issue_ref, issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.goals.view import GoalPage
    from guardia.board.hiring.view import HireView


def goal(
    text: Annotated[str, typer.Argument(help=t("goals.cli.text"))],
    who: As,
    *,
    drop: Annotated[bool, typer.Option("--drop", help=t("goals.cli.drop"))] = False,
    approve: Annotated[bool, typer.Option("--approve", help=t("goals.cli.approve"))] = False,
    reason: Annotated[str, typer.Option("--reason", help=t("cli.control.reason"))] = "",
) -> None:
    """Create a goal; with a number (`SR-12`) show it, approve its plan or drop it."""
    from guardia.board.goals import decisions, planning, view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        if not is_issue_ref(text):
            if approve or drop:
                raise Invalid(what=text, why=t("goals.cli.needs_number"))
            sr_id = planning.create_goal(board, person, text, channel="cli")
            sys.stdout.write(t("goals.cli.given", sr=sr_id) + "\n")
            return
        sr_id = parse_issue_number(text)
        page = view.get_goal(board, person, sr_id)
        _show(page)
        if approve:
            bound = page.plan_hash or ""
            numbers = decisions.approve(board, person, sr_id, plan_hash=bound)
            sys.stdout.write(t("goals.cli.approved", count=len(numbers)) + "\n")
        elif drop:
            decisions.drop(board, person, sr_id, reason)
            sys.stdout.write(t("goals.cli.dropped", sr=sr_id) + "\n")


def _show(page: GoalPage) -> None:
    screen = console()
    state = t(f"goals.state.{page.state}")
    screen.print(f"[bold]{issue_ref(page.sr_id)}[/] {state} {page.progress.percent}%")
    screen.print(page.title)
    table = Table(*(t(f"goals.cli.column.{c}") for c in ("work", "server", "who", "due")))
    for part in page.parts:
        who = part.question or part.agent or t("goals.page.people")
        work = f"{issue_ref(part.child_id)} {part.text}" if part.child_id else part.text
        table.add_row(work, part.server or "-", who, str(part.due_on or "-"))
    if page.parts:
        screen.print(table)
    for hire in page.hires:
        line = f"{t('goals.hire')} {hire.title}: {t(f'goals.page.hire.{hire.state}')}"
        screen.print(line)
        for words in filter(None, (_cost(hire), hire.budget_note)):
            screen.print(f"  {words}")


def _cost(hire: HireView) -> str:
    won = t("goals.page.cost_unknown")
    if hire.monthly_won is not None:
        won = t("goals.page.cost", won=f"{hire.monthly_won:,}")
    return f"{t('goals.page.monthly')} {won} ({hire.estimate_basis})" if hire.estimate_basis else ""
