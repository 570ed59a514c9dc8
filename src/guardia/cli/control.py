"""`guardia kill | release | directive`: people's directives from the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.account import As, authenticate
from guardia.cli.installation import open_installation
from guardia.cli.issue import parse_issue_number
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

_Number = Annotated[str, typer.Argument(help=t("cli.issue.number"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("cli.control.reason"))]


def kill(
    who: Annotated[str, typer.Option("--as", help=t("cli.control.as_or_operator"))] = "",
    reason: _Reason = "",
) -> None:
    """Stop everything at once; no permission beyond access to this installation is needed."""
    from guardia.cli.emergency_kill import EmergencyKill

    outcome = EmergencyKill(Settings(), who, reason).run(typer.echo)
    for line in outcome.lines:
        typer.echo(line, err=not outcome.recorded)
    if not outcome.holds:
        raise typer.Exit(1)


def release(who: As, reason: _Reason) -> None:
    """Release the kill switch; needs a role that may, and a reason."""
    from guardia.board.control import kill_switch

    with open_installation(Settings()) as installation, installation.board() as board:
        kill_switch.release(board, authenticate(board, who), reason)
    sys.stdout.write(t("cli.control.released") + "\n")


def directive(
    number: _Number,
    verb: Annotated[str, typer.Argument(help=t("cli.control.verb"))],
    who: As,
    argument: Annotated[str, typer.Argument(help=t("cli.control.argument"))] = "",
    reason: _Reason = "",
) -> None:
    """Give a directive to every task of an issue that accepts it now."""
    from guardia.board.control import directives
    from guardia.board.control.directive_context import DirectiveRequest
    from guardia.board.control.directive_handlers import VERBS
    from guardia.board.control.verbs import DIRECTIVE_VERBS

    sr_id = parse_issue_number(number)
    if verb not in VERBS:
        raise Invalid(what=verb, why=", ".join(VERBS))
    sys.stdout.write(t(DIRECTIVE_VERBS[verb].consequence) + "\n")
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        tasks = directives.eligible_tasks(board, sr_id, verb)
        if not tasks:
            raise Invalid(what=issue_ref(sr_id), why=t("cli.control.impossible"))
        request = DirectiveRequest(verb, reason, argument)
        for task_id in tasks:
            state = directives.issue_directive(board, person, task_id, request)
            words = {"sr": sr_id, "verb": t(f"board.verb.{verb}"), "state": t(f"state.{state}")}
            sys.stdout.write(t("cli.control.given", **words) + "\n")
