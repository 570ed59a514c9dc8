"""`guardia standing`: standard changes, approved in advance."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.standing.view import StandingView

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(help=t("standing.cli.number"), min=1)]
_Terms = Annotated[str, typer.Option("--terms", help=t("standing.cli.terms"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("standing.reason"))]
_SHOWN = 12


@app.command("list", help=t("standing.cli.list"))
def list_(
    before: Annotated[int | None, typer.Option("--before", help=t("standing.cli.number"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 20,
) -> None:
    """Print standing approvals, newest first."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.standing import view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_standing(board, None, Keyset(before=before, size=limit))
    for one in found.rows:
        _print(one)
    if not found.rows:
        sys.stdout.write(t("standing.empty") + "\n")


@app.command("limits", help=t("standing.cli.limits"))
def limits(
    number: _Number,
    who: As,
    terms: _Terms,
    per_day: Annotated[str, typer.Option("--per-day", help=t("standing.cli.per_day"))],
    begins: Annotated[str, typer.Option("--from", help=t("standing.cli.from"))],
    ends: Annotated[str, typer.Option("--until", help=t("standing.cli.until"))],
    last_day: Annotated[str, typer.Option("--ends-on", help=t("standing.cli.ends_on"))],
) -> None:
    """Set the limits of a proposal."""
    from guardia.board.standing import decisions, forms, view

    given = forms.parse_limits(per_day, begins, ends, last_day)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        bound = decisions.set_limits(
            board, person, number, given, view.whole_hash(board, number, terms)
        )
    sys.stdout.write(f"{t('standing.hash')}: {bound[:_SHOWN]}\n")


@app.command("approve", help=t("standing.cli.approve"))
def approve(number: _Number, who: As, terms: _Terms) -> None:
    """Approve a proposal."""
    from guardia.board.standing import decisions, view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        state = decisions.approve(board, person, number, view.whole_hash(board, number, terms))
    _say(state)


@app.command("reject", help=t("standing.cli.reject"))
def reject(number: _Number, who: As, terms: _Terms, reason: _Reason) -> None:
    """Reject a proposal."""
    from guardia.board.standing import decisions, view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        decisions.reject(board, person, number, view.whole_hash(board, number, terms), reason)
    _say("REJECTED")


@app.command("revoke", help=t("standing.cli.revoke"))
def revoke(number: _Number, who: As, reason: _Reason) -> None:
    """Revoke a standing approval."""
    from guardia.board.standing import ending

    with open_installation(Settings()) as installation, installation.board() as board:
        ending.revoke(board, authenticate(board, who), number, reason)
    _say("REVOKED")


def _say(state: str) -> None:
    sys.stdout.write(t("standing.cli.done", state=t(f"standing.state.{state}")) + "\n")


def _print(one: StandingView) -> None:
    from guardia.board.core.labels import format_time, label

    screen = console()
    head = f"{t('standing.number', number=one.number)} {one.title}"
    screen.print(f"{head} [{t(f'standing.state.{one.state}')}]", style="bold", markup=False)
    if one.terms is None:
        screen.print(f"  {t('board.not_proven')}", markup=False)
        return
    terms, bounds = one.terms, one.terms.limits
    routine = terms.routine
    seqs = ", ".join(map(str, terms.evidence))
    lines = {
        "scope": f"{routine.institution} {routine.kind} {routine.document} {routine.version}",
        "category": label("web.policy", routine.category),
        "evidence": t("standing.evidence_line", count=len(terms.evidence), seqs=seqs),
        "per_day": f"{bounds.per_day} ({t('standing.today')} {one.used_today})",
        "hours": f"{bounds.begins:%H:%M}~{bounds.ends:%H:%M}",
        "ends_at": format_time(bounds.until),
        "approvals": " → ".join(t(f"org.role.{role}") for role in one.steps),
        "decided": ", ".join(one.approved_by) or "-",
        "reason": one.reason,
        "hash": terms.hash[:_SHOWN],
    }
    for name, text in lines.items():
        if text:
            screen.print(f"  {t(f'standing.{name}')}: {text}", markup=False, highlight=False)
