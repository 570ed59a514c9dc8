"""`guardia document stated`, `accept` and `refuse`: rules and facts that documents state."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.document_session import opened, print_json, say
from guardia.i18n import t

_Json = Annotated[bool, typer.Option("--json", help=t("documents.cli.json"))]
_Sentence = Annotated[int, typer.Argument(help=t("documents.cli.sentence"), min=1)]
_Reason = Annotated[str, typer.Option("--reason", help=t("documents.cli.note"))]


def stated(
    who: As,
    state: Annotated[str, typer.Option("--state", help=t("documents.cli.stated_state"))] = "",
    limit: Annotated[int, typer.Option("--limit", help=t("documents.cli.limit"), min=1)] = 50,
    as_json: _Json = False,
) -> None:
    """Print the rules and facts that published documents state."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.knowledge import stated_view

    with opened() as (board, _):
        person = authenticate(board, who)
        wanted = state.upper() or "PROPOSED"
        rows = stated_view.list_stated(board, person, Keyset(size=limit), wanted).rows
    if as_json:
        print_json([dataclasses.asdict(one) for one in rows])
        return
    for one in rows:
        what = t(f"documents.stated.kind.{one.kind}")
        place = one.fields.get("server") or one.fields.get("institution") or "-"
        sys.stdout.write(f"{one.sentence_id}  {what}  {place}  {one.title}: {one.sentence}\n")
    if not rows:
        sys.stdout.write(t("documents.stated.empty") + "\n")


def accept(
    sentence: _Sentence,
    who: As,
    name: Annotated[str, typer.Option("--name", help=t("documents.cli.rule_name"))] = "",
    fields: Annotated[
        list[str] | None, typer.Option("--field", help=t("documents.cli.rule_field"))
    ] = None,
    reason: _Reason = "",
    as_json: _Json = False,
) -> None:
    """Enter a rule or a fact that a document states."""
    from guardia.board.knowledge import stated as sentences
    from guardia.board.site_rules.forms import parse_fields

    given = parse_fields(fields or []) | ({"name": name} if name else {})
    with opened() as (board, _):
        result = sentences.accept(board, authenticate(board, who), sentence, given, reason)
    say(
        {"sentence": sentence, "result": result}, t("documents.cli.entered", result=result), as_json
    )


def refuse(sentence: _Sentence, who: As, reason: _Reason = "", as_json: _Json = False) -> None:
    """Refuse a sentence: it is not proposed again."""
    from guardia.board.knowledge import stated as sentences

    with opened() as (board, _):
        sentences.refuse(board, authenticate(board, who), sentence, reason)
    say({"sentence": sentence}, t("documents.cli.refused"), as_json)
