"""`guardia show | approve | reject | ask-changes | reopen | accept`, as on the issue page."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from guardia.board.core.issue_ref import issue_ref, parse_issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.errors import Invalid, NotFound, PasskeyNeeded, Stale
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.approvals.pending import PendingPlan
    from guardia.board.approvals.policy import RejectionChoice
    from guardia.board.core.context import BoardContext
    from guardia.org.directory import PersonInfo

_Number = Annotated[str, typer.Argument(help=t("cli.issue.number"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("cli.issue.reason"))]
_Plan = Annotated[str, typer.Option("--plan", help=t("cli.issue.plan"))]
_SHOWN_HASH, _MIN_HASH = 12, 8
"""Digits of a plan's hash that are shown, and that a person must write at least."""


def show(
    number: _Number,
    as_json: Annotated[bool, typer.Option("--json", help=t("issues.cli.json"))] = False,
) -> None:
    """Print an issue: people, cause, action, result, and the plans that wait."""
    from guardia.board.tracker.issue_page import get_issue
    from guardia.cli import issue_summary
    from guardia.cli.operator_view import OPERATOR_VIEWER

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        issue = get_issue(board, OPERATOR_VIEWER, sr_id)
        if as_json:
            issue_summary.print_json(issue)
            return
        issue_summary.print_facts(issue)
        _print_waiting(board, sr_id)


def approve(
    number: _Number,
    who: As,
    reason: _Reason = "",
    plan: _Plan = "",
    after: Annotated[str, typer.Option("--after", help=t("cli.issue.after"))] = "",
) -> None:
    """Approve the plans that wait on an issue, from a given time on if one is given."""
    _decide(number, who, plan, _Answer("approve", reason, after=after))


def reject(
    number: _Number,
    who: As,
    reason: _Reason = "",
    plan: _Plan = "",
    then: Annotated[str, typer.Option("--then", help=t("cli.issue.then"))] = "",
    after: Annotated[str, typer.Option("--after", help=t("cli.issue.after"))] = "",
    message: Annotated[str, typer.Option("--message", help=t("cli.issue.message"))] = "",
) -> None:
    """Reject the plans that wait on an issue, and choose what follows."""
    _decide(number, who, plan, _Answer("reject", reason, then, after, message))


def ask_changes(
    number: _Number,
    who: As,
    reason: _Reason = "",
    plan: _Plan = "",
    message: Annotated[str, typer.Option("--message", help=t("cli.issue.message"))] = "",
) -> None:
    """Ask for changes of the plans that wait on an issue."""
    _decide(number, who, plan, _Answer("change", reason, message=message))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a person answers to the plans that wait."""

    verdict: str
    reason: str
    then: str = ""
    after: str = ""
    message: str = ""


def _decide(number: str, who: str, named: str, answer: _Answer) -> None:
    """Show each plan that waits on an issue and ask about it.

    With `--plan` it decides on that plan only, and asks nothing.
    """
    from guardia.board.approvals import pending

    sr_id, settings = parse_issue_number(number), Settings()
    _choice(answer.then)
    with open_installation(settings) as installation, installation.board() as board:
        plans = pending.pending_plans(board, sr_id)
        if not plans:
            raise Invalid(what=issue_ref(sr_id), why=t("cli.issue.none_waiting", sr=sr_id))
        chosen = _named_plans(sr_id, plans, named) if named else plans
        _print_summaries(board, sr_id, chosen)
        _refuse_without_passkey(settings, sr_id, chosen, answer)
        if not (named or sys.stdin.isatty()):
            shown = chosen[0].plan_hash[:_SHOWN_HASH]
            raise Invalid(what=issue_ref(sr_id), why=t("cli.issue.plan_needed", hash=shown))
        person = authenticate(board, who)
        for waiting in chosen:
            if named or _is_confirmed(sr_id, waiting, answer.verdict):
                _submit(board, person, sr_id, waiting, answer)


def _choice(then: str) -> RejectionChoice | None:
    """Return what follows a rejection. Raises `Invalid` for an unknown word."""
    from guardia.board.approvals.policy import RejectionChoice

    if not then:
        return None
    known = [choice.value for choice in RejectionChoice]
    if then not in known:
        raise Invalid(what=f"--then {then}", why=", ".join(known))
    return RejectionChoice(then)


def reopen(number: _Number, who: As, reason: _Reason = "") -> None:
    """Reopen an ended issue."""
    from guardia.board.control import reopening

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        state = reopening.reopen(board, authenticate(board, who), sr_id, reason)
    sys.stdout.write(t("cli.reopen.done", sr=sr_id, state=t(f"state.{state}")) + "\n")


def accept(number: _Number, who: As, reason: _Reason = "") -> None:
    """Accept the completed results of an issue."""
    from guardia.board.approvals import acceptance

    sr_id = parse_issue_number(number)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        tasks = acceptance.waiting_tasks(board, sr_id)
        if not tasks:
            raise Invalid(what=issue_ref(sr_id), why=t("cli.reopen.none"))
        for task_id in tasks:
            acceptance.accept(board, person, task_id, reason)
    sys.stdout.write(t("cli.accept.done", sr=sr_id) + "\n")


def _named_plans(sr_id: int, plans: list[PendingPlan], named: str) -> list[PendingPlan]:
    """Return the plan whose hash begins with `named`. Raises `Stale` if it waits no longer."""
    if len(named) < _MIN_HASH:
        raise Invalid(what=f"--plan {named}", why=t("cli.issue.plan_form"))
    found = [plan for plan in plans if plan.plan_hash.startswith(named.lower())]
    if not found:
        raise Stale(what=issue_ref(sr_id))
    return found


def _print_summaries(board: BoardContext, sr_id: int, plans: list[PendingPlan]) -> None:
    from guardia.board.approvals.summary import decision_summary
    from guardia.board.issues import view

    issue = view.issue(board, sr_id)
    lines = [f"{issue_ref(sr_id)} {issue.title}"]
    for waiting in plans:
        lines += ["", *decision_summary(waiting.plan, waiting.plan_hash)]
        lines.append(_approval_status(waiting))
    lines += ["", t("cli.issue.commands", sr=sr_id), ""]
    sys.stdout.write("\n".join(lines))
    sys.stdout.write("\n")


def _refuse_without_passkey(
    settings: Settings, sr_id: int, plans: list[PendingPlan], answer: _Answer
) -> None:
    """Lead to the page if an approval needs a passkey: a terminal cannot ask a device to sign."""
    approves = answer.verdict == "approve" or answer.then == "later"
    if approves and any(plan.passkey_demanded for plan in plans):
        address = settings.public_origin or settings.board_address
        raise PasskeyNeeded(what=issue_ref(sr_id), link=f"{address}/issues/{sr_id}")


def _is_confirmed(sr_id: int, waiting: PendingPlan, verdict: str) -> bool:
    shown = waiting.plan_hash[:_SHOWN_HASH]
    if typer.confirm(t(f"cli.issue.ask_{verdict}", hash=shown)):
        return True
    sys.stdout.write(t("cli.issue.not_decided", sr=sr_id, hash=shown) + "\n")
    return False


def _submit(
    board: BoardContext, person: PersonInfo, sr_id: int, waiting: PendingPlan, answer: _Answer
) -> None:
    from guardia.board.approvals import decisions, start_time
    from guardia.board.approvals.decision_request import DecisionRequest
    from guardia.board.approvals.policy import DecisionVerdict

    request = DecisionRequest(
        DecisionVerdict(answer.verdict),
        waiting.plan_hash,
        answer.reason,
        then=_choice(answer.then),
        run_after=start_time.read_start(board, answer.after),
        message=answer.message,
    )
    state = decisions.submit_decision(board, person, waiting.task_id, request)
    sys.stdout.write(t("cli.issue.decided", sr=sr_id, state=t(f"state.{state}")) + "\n")


def _print_waiting(board: BoardContext, sr_id: int) -> None:
    """Print the plans that wait for a decision, with their commands."""
    from guardia.board.approvals import pending
    from guardia.board.approvals.summary import decision_summary

    screen = console()
    for waiting in pending.pending_plans(board, sr_id):
        for line in decision_summary(waiting.plan, waiting.plan_hash):
            screen.print(line)
        screen.print(_approval_status(waiting))
        table = Table(t("cli.issue.effect"), t("cli.issue.command"))
        for action in waiting.plan.actions:
            table.add_row(action.effect, action.command)
        screen.print(table)


def _approval_status(waiting: PendingPlan) -> str:
    from guardia.board.core.labels import format_time

    words = {"role": t(f"org.role.{waiting.role}")}
    due = format_time(waiting.due_at) if waiting.due_at else "-"
    return t("cli.issue.turn", given=waiting.given, quorum=waiting.quorum, due=due, **words)


def parse_issue_number(number: str) -> int:
    """Parse an issue's number as people write it. Raises `NotFound` if it is not one."""
    found = parse_issue_ref(number)
    if found is None:
        raise NotFound(what=number)
    return found
