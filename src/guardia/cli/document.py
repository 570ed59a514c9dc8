"""`guardia document`: documents, their versions and review."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.document_session import opened, print_json, say
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.knowledge.policy import DocumentDetails

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help=t("documents.cli.json"))]
_Number = Annotated[int, typer.Argument(help=t("documents.cli.number"), min=1)]
_Version = Annotated[int, typer.Argument(help=t("documents.cli.version"), min=1)]
_File = Annotated[
    Path, typer.Argument(help=t("documents.cli.path"), exists=True, dir_okay=False, readable=True)
]
_Submit = Annotated[bool, typer.Option("--submit", help=t("documents.cli.submit_option"))]
_Field = Annotated[str, typer.Option("--field", help=t("documents.field"))]
_Institution = Annotated[str, typer.Option("--institution", help=t("documents.institution"))]
_Server = Annotated[str, typer.Option("--server", help=t("documents.server"))]
_Owner = Annotated[str, typer.Option("--owner", help=t("documents.owner"))]
_Audience = Annotated[str, typer.Option("--audience", help=t("documents.audience"))]
_Roles = Annotated[list[str] | None, typer.Option("--role", help=t("documents.roles"))]
_Expires = Annotated[str, typer.Option("--expires", help=t("documents.expires"))]


@app.command("add", help=t("documents.cli.add"))
def add(
    path: _File,
    who: As,
    title: Annotated[str, typer.Option("--title", help=t("documents.title_field"))] = "",
    field: _Field = "",
    institution: _Institution = "",
    server: _Server = "",
    owner: _Owner = "",
    audience: _Audience = "roles",
    roles: _Roles = None,
    expires: _Expires = "",
    submit: _Submit = False,
    as_json: _Json = False,
) -> None:
    """Add a file as a document."""
    from guardia.board.knowledge import contents, records
    from guardia.board.knowledge.forms import title_of
    from guardia.board.knowledge.records import NewFile

    details = _details(field, institution, server, owner, audience, roles, expires)
    with opened() as (board, store):
        person = authenticate(board, who)
        with contents.receive_bytes(board, store, path.read_bytes()) as incoming:
            named = dataclasses.replace(details, title=title or title_of(path.name))
            new = NewFile(path.name)
            number = records.add_document(board, store, person, named, new, incoming, submit=submit)
    say({"number": number, "version": 1}, t("documents.cli.added", number=number), as_json)


@app.command("import", help=t("documents.cli.import"))
def import_(
    source: Annotated[Path, typer.Argument(help=t("documents.cli.source"), exists=True)],
    who: As,
    field: _Field = "",
    institution: _Institution = "",
    server: _Server = "",
    owner: _Owner = "",
    audience: _Audience = "roles",
    roles: _Roles = None,
    expires: _Expires = "",
    submit: _Submit = False,
    wait: Annotated[float, typer.Option("--wait", help=t("documents.cli.wait"), min=0)] = 0.0,
    report: Annotated[Path | None, typer.Option("--report", help=t("documents.cli.report"))] = None,
    as_json: _Json = False,
) -> None:
    """Add the documents of a folder or archive; one that is refused does not stop the others."""
    from guardia.cli import document_import

    details = _details(field, institution, server, owner, audience, roles, expires)
    with opened() as (board, store):
        person = authenticate(board, who)
        found = document_import.run(board, store, person, source, details, submit=submit)
        found = document_import.wait(board, found, wait)
    if report is not None:
        lines = (f"{name}\t{why}\n" for name, why in found.failed)
        report.write_text("".join(lines), encoding="utf-8")
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        document_import.show(found)
    if found.failed:
        raise typer.Exit(1)


@app.command("list", help=t("documents.cli.list"))
def list_(
    query: Annotated[str, typer.Argument(help=t("documents.query"))] = "",
    field: _Field = "",
    institution: _Institution = "",
    server: _Server = "",
    state: Annotated[str, typer.Option("--state", help=t("documents.state_head"))] = "",
    kind: Annotated[str, typer.Option("--kind", help=t("documents.runbook"))] = "",
    before: Annotated[int | None, typer.Option("--before", help=t("documents.cli.number"))] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help=t("documents.cli.limit"))
    ] = 50,
    as_json: _Json = False,
) -> None:
    """Print documents, newest first."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.knowledge import view
    from guardia.board.knowledge.view import DocumentFilter

    wanted = DocumentFilter(query, field, institution, server, state.upper(), kind)
    with opened() as (board, _):
        found = view.list_documents(board, None, wanted, Keyset(before=before, size=limit))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found.rows])
        return
    for one in found.rows:
        words = (one.number, t(f"documents.state.{one.state}"), one.field or "-", one.title)
        sys.stdout.write("  ".join(map(str, words)) + "\n")
    if not found.rows:
        sys.stdout.write(t("documents.empty") + "\n")


@app.command("show", help=t("documents.cli.show"))
def show(
    number: _Number,
    version: Annotated[
        int | None, typer.Option("--version", help=t("documents.cli.version"), min=1)
    ] = None,
    text: Annotated[bool, typer.Option("--text", help=t("documents.cli.full_text"))] = False,
    as_json: _Json = False,
) -> None:
    """Print a document with its versions."""
    from guardia.board.core.issue_ref import issue_ref
    from guardia.board.knowledge import change_view, view

    with opened() as (board, _):
        found = view.get_document(board, None, number, version)
        sources = change_view.sources_of(board, None, number, found.shown.version)
        body = view.body_of(board, None, number, found.shown.version) if text or as_json else ""
    if as_json:
        more = {"body": body, "sources": [dataclasses.asdict(one) for one in sources]}
        print_json({**dataclasses.asdict(found), **more})
        return
    sys.stdout.write(f"{t('documents.number', number=number)}: {found.line.title}\n")
    for one in found.versions:
        state = t(f"documents.review.{one.review}")
        read = one.problem or t(f"documents.reading.{one.reading}")
        sys.stdout.write(f"  {t('documents.version', version=one.version)}  {state}  {read}\n")
    for source in sources:
        why = t(f"documents.change.reason.{source.reason}")
        sys.stdout.write(f"  {issue_ref(source.sr_id)}  {source.title}  {why}\n")
    if text:
        sys.stdout.write(f"\n{body}\n")


@app.command("version", help=t("documents.cli.new_version"))
def new_version(
    number: _Number,
    path: _File,
    who: As,
    comment: Annotated[str, typer.Option("--comment", help=t("documents.comment"))] = "",
    submit: _Submit = False,
    as_json: _Json = False,
) -> None:
    """Add a version to a document."""
    from guardia.board.knowledge import contents, records
    from guardia.board.knowledge.records import NewFile

    with opened() as (board, store):
        person = authenticate(board, who)
        with contents.receive_bytes(board, store, path.read_bytes()) as incoming:
            new = NewFile(path.name, comment)
            version = records.add_version(
                board, store, person, number, new, incoming, submit=submit
            )
    words = {"number": number, "version": version}
    say(words, t("documents.cli.version_added", **words), as_json)


@app.command("submit", help=t("documents.cli.submit"))
def submit_(number: _Number, version: _Version, who: As, as_json: _Json = False) -> None:
    """Hand a version in for review."""
    from guardia.board.knowledge import review

    with opened() as (board, _):
        review.submit(board, authenticate(board, who), number, version)
    words = {"number": number, "version": version}
    say(words, t("documents.cli.submitted", **words), as_json)


@app.command("publish", help=t("documents.cli.publish"))
def publish(
    number: _Number,
    version: _Version,
    who: As,
    note: Annotated[str, typer.Option("--note", help=t("documents.cli.note"))] = "",
    as_json: _Json = False,
) -> None:
    """Publish a version that waits for review."""
    from guardia.board.knowledge import review

    with opened() as (board, _):
        review.publish(board, authenticate(board, who), number, version, note)
    words = {"number": number, "version": version}
    say(words, t("documents.cli.published", **words), as_json)


@app.command("publish-all", help=t("documents.cli.publish_all"))
def publish_all(who: As, as_json: _Json = False) -> None:
    """Publish all versions that wait for review and are not the reviewer's own."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.knowledge import review, review_view

    done: int = 0
    refused: dict[tuple[int, int], str] = {}
    with opened() as (board, _):
        person, before = authenticate(board, who), None
        while True:
            page = review_view.review_queue(board, person, Keyset(before=before, size=100))
            pairs = [(one.number, one.version) for one in page.rows if not one.is_own]
            failed = review.publish_many(board, person, pairs)
            done, refused = done + len(pairs) - len(failed), {**refused, **failed}
            if page.older is None:
                break
            before = page.older
    if as_json:
        print_json({"published": done, "refused": {f"{n}-{v}": w for (n, v), w in refused.items()}})
        return
    sys.stdout.write(t("documents.published_some", count=done) + "\n")
    for (number, version), why in refused.items():
        sys.stdout.write(f"  {number}-{version}: {why}\n")


@app.command("reject", help=t("documents.cli.reject"))
def reject(
    number: _Number,
    version: _Version,
    who: As,
    note: Annotated[str, typer.Option("--note", help=t("documents.cli.note"))],
    as_json: _Json = False,
) -> None:
    """Reject a version."""
    from guardia.board.knowledge import review

    with opened() as (board, _):
        review.reject(board, authenticate(board, who), number, version, note)
    words = {"number": number, "version": version}
    say(words, t("documents.cli.rejected", **words), as_json)


@app.command("restore", help=t("documents.cli.restore"))
def restore(number: _Number, version: _Version, who: As, as_json: _Json = False) -> None:
    """Take an earlier version as a new one."""
    from guardia.board.knowledge import records

    with opened() as (board, _):
        new = records.restore(board, authenticate(board, who), number, version)
    words = {"number": number, "version": new}
    say(words, t("documents.cli.version_added", **words), as_json)


@app.command("diff", help=t("documents.cli.difference"))
def difference(number: _Number, old: _Version, new: _Version, as_json: _Json = False) -> None:
    """Print how two versions differ."""
    from guardia.board.knowledge import view

    with opened() as (board, _):
        lines = view.difference(board, None, number, old, new)
    if as_json:
        print_json([{"mark": mark, "text": text} for mark, text in lines])
        return
    for mark, text in lines:
        sys.stdout.write(f"{mark}{text}\n")
    if not lines:
        sys.stdout.write(t("documents.no_difference") + "\n")


@app.command("expire", help=t("documents.cli.expire"))
def expire(number: _Number, who: As, as_json: _Json = False) -> None:
    """Let a document expire now."""
    from guardia.board.knowledge import records

    with opened() as (board, _):
        records.expire(board, authenticate(board, who), number)
    say({"number": number}, t("documents.cli.expired", number=number), as_json)


@app.command("remove", help=t("documents.cli.remove"))
def remove(number: _Number, who: As, as_json: _Json = False) -> None:
    """Remove a document."""
    from guardia.board.knowledge import records

    with opened() as (board, _):
        records.remove(board, authenticate(board, who), number)
    say({"number": number}, t("documents.cli.removed", number=number), as_json)


@app.command("queue", help=t("documents.cli.queue"))
def queue(
    who: As,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help=t("documents.cli.limit"))
    ] = 100,
    as_json: _Json = False,
) -> None:
    """Print the versions that wait for review."""
    from guardia.board.core.keyset import Keyset
    from guardia.board.knowledge import review_view

    with opened() as (board, _):
        found = review_view.review_queue(board, authenticate(board, who), Keyset(size=limit))
    if as_json:
        print_json([dataclasses.asdict(one) for one in found.rows])
        return
    for one in found.rows:
        words = (one.number, t("documents.version", version=one.version), one.author, one.title)
        sys.stdout.write("  ".join(map(str, words)) + "\n")
    if not found.rows:
        sys.stdout.write(t("documents.queue_empty") + "\n")


@app.command("attachment", help=t("documents.cli.attachment"))
def attachment(
    issue: Annotated[str, typer.Argument(help=t("documents.cli.issue"))],
    attachment_id: Annotated[int, typer.Argument(help=t("documents.cli.attachment_id"), min=1)],
    who: As,
    as_json: _Json = False,
) -> None:
    """Add a file of an issue as a document."""
    from guardia.board.knowledge import attached
    from guardia.cli.issue import parse_issue_number

    sr_id = parse_issue_number(issue)
    with opened() as (board, store):
        number = attached.take_over(board, store, authenticate(board, who), sr_id, attachment_id)
    say({"number": number, "version": 1}, t("documents.cli.added", number=number), as_json)


@app.command("runbooks", help=t("documents.cli.runbooks"))
def runbooks(who: As, as_json: _Json = False) -> None:
    """Add the runbooks of the product, or their new versions, and hand them in for review."""
    from importlib.resources import files

    from guardia.board.knowledge import runbooks as documents
    from guardia.knowledge.runbook import shipped

    folder = files("guardia.knowledge") / "runbooks"
    added: list[dict[str, object]] = []
    with opened() as (board, store):
        person = authenticate(board, who)
        for one in shipped():
            content = (folder / f"{one.id}.md").read_bytes()
            found = documents.add_runbook(board, store, person, one.id, one.title, content)
            if found is not None:
                added.append({"runbook": one.id, "number": found[0], "version": found[1]})
    if as_json:
        print_json(added)
        return
    for words in added:
        sys.stdout.write(f"{words['runbook']}  {t('documents.cli.version_added', **words)}\n")
    sys.stdout.write(t("documents.uploaded", count=len(added)) + "\n")


def _details(
    field: str,
    institution: str,
    server: str,
    owner: str,
    audience: str,
    roles: list[str] | None,
    expires: str,
) -> DocumentDetails:
    from guardia.board.knowledge.forms import EnteredDetails
    from guardia.board.knowledge.policy import STAFF_ROLES

    given = tuple(roles) if roles else STAFF_ROLES
    return EnteredDetails("", field, institution, server, owner, audience, given, expires).parsed()
