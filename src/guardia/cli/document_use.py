"""`guardia document edit`, `rate` and `related`: details, feedback, and what fits an issue."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.document_session import opened, say
from guardia.cli.issue import parse_issue_number
from guardia.i18n import t

_Json = Annotated[bool, typer.Option("--json", help=t("documents.cli.json"))]
_Number = Annotated[int, typer.Argument(help=t("documents.cli.number"), min=1)]
_Text = str | None


def edit(
    number: _Number,
    *,
    who: As,
    title: Annotated[_Text, typer.Option("--title", help=t("documents.title_field"))] = None,
    field: Annotated[_Text, typer.Option("--field", help=t("documents.field"))] = None,
    institution: Annotated[
        _Text, typer.Option("--institution", help=t("documents.institution"))
    ] = None,
    server: Annotated[_Text, typer.Option("--server", help=t("documents.server"))] = None,
    owner: Annotated[_Text, typer.Option("--owner", help=t("documents.owner"))] = None,
    audience: Annotated[_Text, typer.Option("--audience", help=t("documents.audience"))] = None,
    roles: Annotated[list[str] | None, typer.Option("--role", help=t("documents.roles"))] = None,
    expires: Annotated[_Text, typer.Option("--expires", help=t("documents.expires"))] = None,
    as_json: _Json = False,
) -> None:
    """Change the named details of a document; the others stay. An empty value removes one."""
    from guardia.board.knowledge import records, view
    from guardia.board.knowledge.forms import EnteredDetails

    given = {
        "title": title,
        "field": field,
        "institution": institution,
        "server": server,
        "owner": owner,
        "audience": audience,
        "roles": tuple(roles) if roles else None,
        "expires": expires,
    }
    with opened() as (board, _):
        person = authenticate(board, who)
        known = EnteredDetails.of(view.get_document(board, person, number))
        changed = {name: value for name, value in given.items() if value is not None}
        details = replace(known, **changed).parsed()  # type: ignore[arg-type]
        records.change_details(board, person, number, details)
    say({"number": number}, t("documents.cli.changed", number=number), as_json)


def rate(
    number: _Number,
    passage: Annotated[int, typer.Argument(help=t("documents.cli.passage"), min=1)],
    verdict: Annotated[str, typer.Argument(help=t("documents.cli.verdict"))],
    who: As,
    reason: Annotated[str, typer.Option("--reason", help=t("documents.rating.reason"))] = "",
    as_json: _Json = False,
) -> None:
    """Say of a passage that it helped, or why it is wrong."""
    from guardia.board.knowledge import ratings

    with opened() as (board, _):
        ratings.rate(board, authenticate(board, who), number, passage, verdict, reason)
    say({"number": number, "passage": passage}, t("documents.rating.thanks"), as_json)


def related(
    issue: Annotated[str, typer.Argument(help=t("documents.cli.issue"))],
    who: As,
    as_json: _Json = False,
) -> None:
    """Print the documents and past issues that are related to an issue, as far as known."""
    from guardia.board.core.issue_ref import issue_ref
    from guardia.board.search import api, related_view
    from guardia.board.search import related as asking

    sr_id = parse_issue_number(issue)
    with opened() as (board, _):
        person = authenticate(board, who)
        asking.want(board, person, sr_id)
        found = related_view.get_related(board, person, sr_id)
    if as_json:
        sys.stdout.write(api.related_as_plain(found).model_dump_json() + "\n")
        return
    if not found.is_known:
        words = "search.related.looking" if found.is_served else "search.no_worker"
        sys.stdout.write(t(words) + "\n")
        return
    lines = [f"{one.title}  {one.path}" for one in found.documents]
    lines += [f"{issue_ref(one.sr_id)}  {one.title}  {one.result}" for one in found.issues]
    sys.stdout.write("\n".join(lines or [t("search.related.no_documents")]) + "\n")
