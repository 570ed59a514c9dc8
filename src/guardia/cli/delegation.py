"""`guardia delegate`: let another person decide on one's behalf for a time."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo
from typing import Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.installation import open_installation
from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.settings import Settings


def delegate(
    who: As,
    to: Annotated[str, typer.Option("--to", help=t("cli.delegate.to"))],
    until: Annotated[str, typer.Option("--until", help=t("cli.delegate.until"))] = "",
    begins: Annotated[str, typer.Option("--from", help=t("cli.delegate.from"))] = "",
    principal: Annotated[str, typer.Option("--for", help=t("cli.delegate.for"))] = "",
    absent: Annotated[bool, typer.Option("--absent", help=t("cli.delegate.absent"))] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help=t("cli.delegate.revoke"))] = False,
) -> None:
    """Delegate, or end a delegation."""
    from guardia.board.approvals import delegations
    from guardia.board.organization import chart

    if not (until or revoke):
        raise Missing(what="--until")
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        if revoke:
            ended = delegations.revoke(board, person, to, principal=principal or None)
            sys.stdout.write(t("cli.delegate.revoked", count=ended) + "\n")
            return
        zone = chart.running(board)[1].company.zone
        ends = _parse_moment(until, zone, last=True)
        delegations.delegate(
            board,
            person,
            to,
            begins=_parse_moment(begins, zone) if begins else None,
            ends=ends,
            principal=principal or None,
            absent=absent,
        )
        sys.stdout.write(t("cli.delegate.done", to=to, until=f"{ends:%Y-%m-%d %H:%M}") + "\n")


def _parse_moment(text: str, zone: tzinfo, *, last: bool = False) -> datetime:
    """Parse a moment in the company's time; a date alone is its beginning, or its end if `last`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(what=text, why=t("cli.delegate.format")) from None
    if last and len(text) <= len("2026-11-23"):
        found += timedelta(days=1)
    return found if found.tzinfo else found.replace(tzinfo=zone)
