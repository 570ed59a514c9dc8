"""`guardia plan show | edit` and `guardia force`: people's plans from the command line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.approvals.pending import FiledPlan
    from guardia.board.core.planner import ActionDraft

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[str, typer.Argument(help=t("cli.issue.number"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("cli.control.reason"))]
_SET_OPTION = re.compile(r"(\d{1,3})\.(\w{1,40})=(.*)", re.DOTALL)


@app.command("show", help=t("cli.plan.show"))
def show(number: _Number) -> None:
    """Print the editable plans of an issue, with numbered actions and arguments."""
    from guardia.board.approvals import pending

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        plans = pending.editable_plans(board, sr_id)
    if not plans:
        raise Invalid(what=issue_ref(sr_id), why=t("cli.plan.none", sr=sr_id))
    screen = console()
    for filed in plans:
        words = {"task": filed.task_id, "state": t(f"state.{filed.state}")}
        head = t("cli.plan.head", **words, server=filed.plan.server, hash=filed.plan_hash[:12])
        screen.print(head)
        table = Table("#", t("cli.issue.effect"), t("cli.plan.call"))
        for ordinal, action in enumerate(filed.plan.actions, start=1):
            given = "\n".join(f"{n}={v}" for n, v in action.call.args.items())
            table.add_row(str(ordinal), action.effect, f"{action.call.tool}\n{given}")
        screen.print(table)


@app.command("edit", help=t("cli.plan.edit"))
def edit(
    number: _Number,
    who: As,
    reason: _Reason,
    task: Annotated[int | None, typer.Option("--task", help=t("cli.plan.task"))] = None,
    put: Annotated[list[str] | None, typer.Option("--set", help=t("cli.plan.set"))] = None,
    remove: Annotated[list[int] | None, typer.Option("--remove", help=t("cli.plan.remove"))] = None,
    add: Annotated[list[str] | None, typer.Option("--add", help=t("cli.plan.add"))] = None,
) -> None:
    """Change a plan's actions; it needs approval again, except by the person who changed it."""
    from guardia.board.approvals import pending
    from guardia.board.control import manual_plans
    from guardia.board.control.manual_plans import PlanRevision

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        plan = _choose_plan(sr_id, pending.editable_plans(board, sr_id), task)
        drafts = _apply_edits(plan, put or [], remove or [], add or [])
        revision = PlanRevision(plan.plan_hash, drafts, reason)
        state = manual_plans.change_plan(board, person, plan.task_id, revision)
    words = {"sr": sr_id, "verb": t("board.verb.change"), "state": t(f"state.{state}")}
    sys.stdout.write(t("cli.control.given", **words) + "\n")


@app.command("except", help=t("cli.plan.except"))
def except_(
    number: _Number,
    who: As,
    reason: _Reason,
    task: Annotated[int | None, typer.Option("--task", help=t("cli.plan.task"))] = None,
    rule: Annotated[list[str] | None, typer.Option("--rule", help=t("cli.plan.rule"))] = None,
) -> None:
    """Ask for an exception from the site rules that a plan breaks now."""
    from guardia.board.approvals import pending
    from guardia.board.control import manual_plans

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        plan = _choose_plan(sr_id, pending.editable_plans(board, sr_id), task)
        state = manual_plans.request_exception(
            board, person, plan.task_id, plan.plan_hash, reason, rule or ()
        )
    words = {"sr": sr_id, "verb": t("rules.ask_exception"), "state": t(f"state.{state}")}
    sys.stdout.write(t("cli.control.given", **words) + "\n")


def force(
    number: _Number,
    server: Annotated[str, typer.Argument(help=t("cli.plan.server"))],
    tool: Annotated[str, typer.Argument(help=t("cli.plan.tool"))],
    who: As,
    reason: _Reason,
    arguments: Annotated[list[str] | None, typer.Argument(help=t("cli.plan.arguments"))] = None,
) -> None:
    """Run one catalogue action on a server, outside of any plan."""
    from guardia.board.control import manual_plans
    from guardia.board.core.planner import ActionDraft

    sr_id = parse_issue_number(number)
    draft = ActionDraft(tool, _parse_pairs(arguments or []))
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        task_id = manual_plans.force_action(board, person, sr_id, server, draft, reason)
    sys.stdout.write(t("cli.plan.forced", sr=sr_id, task=task_id) + "\n")


def _choose_plan(sr_id: int, plans: list[FiledPlan], task: int | None) -> FiledPlan:
    found = [plan for plan in plans if task in (None, plan.task_id)]
    if not found:
        raise Invalid(what=issue_ref(sr_id), why=t("cli.plan.none", sr=sr_id))
    if len(found) > 1:
        choices = ", ".join(f"--task {p.task_id} ({p.plan.server})" for p in found)
        raise Invalid(what=issue_ref(sr_id), why=t("cli.plan.which", choices=choices))
    return found[0]


def _apply_edits(
    plan: FiledPlan, put: list[str], remove: list[int], add: list[str]
) -> list[ActionDraft]:
    """Return the plan's actions with the edits applied; actions count from 1."""
    from guardia.board.core.planner import ActionDraft

    drafts = {n: ActionDraft.of(action.call) for n, action in enumerate(plan.plan.actions, start=1)}
    for text in put:
        match = _SET_OPTION.fullmatch(text)
        known = drafts.get(int(match[1])) if match else None
        if match is None or known is None:
            raise Invalid(what=f"--set {text}", why=t("cli.plan.set_form", most=len(drafts)))
        drafts[int(match[1])] = ActionDraft(known.tool, {**known.args, match[2]: match[3]})
    for ordinal in remove:
        if drafts.pop(ordinal, None) is None:
            raise Invalid(what=f"--remove {ordinal}", why=t("cli.plan.no_such"))
    return [*drafts.values(), *map(_parse_draft, add)]


def _parse_draft(text: str) -> ActionDraft:
    from guardia.board.core.planner import ActionDraft

    tool, *pairs = text.split() or [""]
    return ActionDraft(tool, _parse_pairs(pairs))


def _parse_pairs(texts: Iterable[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(what=text, why=t("cli.plan.pair"))
        found[name] = value
    return found
