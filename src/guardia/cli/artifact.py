"""`guardia artifact`: files to deploy."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.installation import open_installation
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.artifacts.view import ArtifactView

app = typer.Typer(no_args_is_help=True)
_Number = Annotated[int, typer.Argument(help=t("artifacts.cli.number"), min=1)]
_File = Annotated[
    Path, typer.Argument(help=t("artifacts.cli.path"), exists=True, dir_okay=False, readable=True)
]
_PIECE = 1 << 20
_SHOWN = 12


@app.command("add", help=t("artifacts.cli.add"))
def add(
    path: _File,
    name: Annotated[str, typer.Option("--name", help=t("artifacts.name"))],
    version: Annotated[str, typer.Option("--version", help=t("artifacts.version"))],
    who: As,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", help=t("artifacts.cli.signature"), exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Add a file as an artefact."""
    from guardia.board.artifacts import records
    from guardia.board.artifacts.blob_store import BlobStore
    from guardia.board.artifacts.records import NewArtifact

    settings = Settings()
    signed = base64.b64encode(signature.read_bytes()).decode() if signature else ""
    new = NewArtifact(name, version, path.name, signed)
    store, size = BlobStore.of(settings), path.stat().st_size
    with open_installation(settings) as installation, installation.board() as board:
        person = authenticate(board, who)
        with records.prepare(board, store, person, new, size) as incoming, path.open("rb") as file:
            while piece := file.read(_PIECE):
                incoming.write(piece)
            incoming.seal()
            number = records.add(board, store, person, new, incoming, settings.artifact_keys)
            sha256 = incoming.sha256
    sys.stdout.write(t("artifacts.cli.added", number=number, sha256=sha256) + "\n")


@app.command("list", help=t("artifacts.cli.list"))
def list_(
    before: Annotated[int | None, typer.Option("--before", help=t("artifacts.cli.number"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 20,
) -> None:
    """Print artefacts, newest first."""
    from guardia.board.artifacts import view
    from guardia.board.core.keyset import Keyset

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_artifacts(board, None, Keyset(before=before, size=limit))
    for one in found.rows:
        words = (one.number, one.name, one.version, one.size, one.sha256[:_SHOWN], one.created_by)
        sys.stdout.write("  ".join(map(str, words)) + "\n")
    if not found.rows:
        sys.stdout.write(t("artifacts.empty") + "\n")


@app.command("show", help=t("artifacts.cli.show"))
def show(number: _Number) -> None:
    """Print one artefact."""
    from guardia.board.artifacts import view

    with open_installation(Settings()) as installation, installation.board() as board:
        _print(view.get_artifact(board, None, number))


@app.command("remove", help=t("artifacts.cli.remove"))
def remove(number: _Number, who: As) -> None:
    """Remove an artefact."""
    from guardia.board.artifacts import records
    from guardia.board.artifacts.blob_store import BlobStore

    settings = Settings()
    with open_installation(settings) as installation, installation.board() as board:
        records.remove(board, BlobStore.of(settings), authenticate(board, who), number)
    sys.stdout.write(t("artifacts.cli.removed", number=number) + "\n")


def _print(one: ArtifactView) -> None:
    from guardia.board.core.labels import format_time

    lines = {
        "name": one.name,
        "version": one.version,
        "file": one.file_name,
        "size": f"{one.size:,}",
        "digest": one.sha256,
        "signature": one.signed_by or t("artifacts.unsigned"),
        "who": f"{one.created_by} {format_time(one.created_at)}",
    }
    sys.stdout.write(t("artifacts.number", number=one.number) + "\n")
    for name, text in lines.items():
        sys.stdout.write(f"  {t(f'artifacts.{name}')}: {text}\n")
    if one.holders:
        sys.stdout.write(f"  {', '.join(one.holders)}\n")
