"""`guardia audit`: verify the audit log, here or from an export."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.cli.installation import open_installation
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.audit.chain import ChainVerdict

app = typer.Typer(no_args_is_help=True)


@app.command("verify", help=t("cli.audit.verify"))
def verify(
    full: Annotated[bool, typer.Option("--full/--new", help=t("cli.audit.full"))] = True,
    since: Annotated[int | None, typer.Option(min=0, help=t("cli.audit.since"))] = None,
    export: Annotated[Path | None, typer.Option("--export", help=t("cli.audit.file"))] = None,
    key: Annotated[Path | None, typer.Option("--key", help=t("cli.audit.key"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Verify the audit log; exit code 1 and the first bad entry if it is not intact.

    Without options it looks at everything. A partial look says which part it looked at.
    """
    if export is not None:
        verdict, words = _verify_export(export, key)
    else:
        verdict, words = _verify_here(full=full, since=since)
    if as_json:
        sys.stdout.write(json.dumps(words) + "\n")
    else:
        _print(verdict, words)
    raise typer.Exit(0 if verdict.intact else 1)


@app.command("search", help=t("accounts.cli.search"))
def search(
    text: Annotated[str, typer.Argument(help=t("audit.page.text_hint"))] = "",
    kind: Annotated[str, typer.Option("--kind", help=t("audit.page.kind"))] = "",
    actor: Annotated[str, typer.Option("--actor", help=t("audit.page.actor"))] = "",
    issue: Annotated[int | None, typer.Option("--issue", help=t("audit.page.issue"))] = None,
    before: Annotated[int | None, typer.Option("--before", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.json"))] = False,
) -> None:
    """Print entries that fit, newest first; `--before` continues."""
    from guardia.board.integrity import log_view

    with open_installation(Settings()) as installation, installation.board() as board:
        wanted = log_view.LogFilter(text, kind, actor, issue)
        found = log_view.search(board, CLI_OPERATOR, wanted, before=before)
    for row in found.rows:
        if as_json:
            sys.stdout.write(json.dumps(asdict(row), ensure_ascii=False, default=str) + "\n")
        else:
            mark = f"! {t('audit.page.altered')} " if row.altered else ""
            at = row.created_at.isoformat(timespec="seconds")
            sys.stdout.write(f"{row.seq} {at} {row.actor} {mark}{row.content}\n")
    if found.before is not None and not as_json:
        sys.stderr.write(f"--before {found.before}\n")


@app.command("acknowledge", help=t("cli.audit.acknowledge"))
def acknowledge(
    reason: Annotated[str, typer.Option("--reason", help=t("cli.audit.loss_reason"))],
) -> None:
    """Log the loss of witnesses on this host, and begin them again."""
    from guardia.board.integrity.acknowledgement import acknowledge_loss

    with open_installation(Settings()) as installation, installation.board() as board:
        moved = acknowledge_loss(board, CLI_OPERATOR, reason)
    files = ", ".join(map(str, moved)) or t("cli.audit.no_files")
    sys.stdout.write(t("cli.audit.acknowledged", files=files) + "\n")


@app.command("export", help=t("cli.audit.export"))
def export(file: Annotated[Path, typer.Argument(help=t("cli.audit.file"))]) -> None:
    """Sign the audit log and export all of it for the standalone verifier."""
    from guardia.board.integrity import export

    with open_installation(Settings()) as installation, installation.board() as board:
        entries, key = export.export_log(board, file)
    sys.stdout.write(t("cli.audit.exported", entries=entries, file=file, key=key) + "\n")


@app.command("key", help=t("cli.audit.public"))
def print_public_key(
    present: Annotated[bool, typer.Option("--present", help=t("cli.audit.present"))] = False,
) -> None:
    """Print the public key of the checkpoints, to be kept out of reach of this installation."""
    from guardia.board.audit.checkpoint import public_pem
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.integrity.notary import Notary

    witness_files = WitnessFiles.of(Settings())
    found = Notary(witness_files).root_key()
    if found is None:
        raise Invalid(what=str(witness_files.public), why=t("cli.audit.no_key"))
    if present:
        with open_installation(Settings()) as installation, installation.board() as board:
            found = Notary(witness_files).key(board).public_key()
    sys.stdout.write(public_pem(found))


def _verify_here(*, full: bool, since: int | None) -> tuple[ChainVerdict, dict[str, Any]]:
    from guardia.board.integrity import verification

    with open_installation(Settings()) as installation, installation.board() as board:
        found = verification.verify_log(board, full=full, since=since)
    return found.verdict, found.to_detail()


def _verify_export(file: Path, key: Path | None) -> tuple[ChainVerdict, dict[str, Any]]:
    from guardia.board.audit import verifier
    from guardia.board.audit.checkpoint import load_public_key

    if key is None:
        raise Invalid(what="--key", why=t("cli.audit.needs_key"))
    try:
        known = load_public_key(key.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise Invalid(what=str(key), why=t("audit.bad_key")) from error
    try:
        with file.open("rb") as opened_file:
            verdict = verifier.verify_export(opened_file, known)
    except OSError as error:
        raise Invalid(what=str(file), why=error.strerror or "") from error
    return verdict, verifier.report(verdict, known)


def _print(verdict: ChainVerdict, words: dict[str, Any]) -> None:
    write = sys.stdout.write
    before = int(words.get("from", 0))
    if before:
        line = "partial" if verdict.size > before else "nothing_new"
        scope = {"first": before + 1, "last": verdict.size, "before": before}
        write(t(f"cli.audit.{line}", **scope) + "\n")
    if verdict.intact:
        count = max(0, verdict.size - before)
        write(t("cli.audit.intact", count=count, size=verdict.size, head=verdict.head) + "\n")
        if verdict.sealed > before:
            write(t("cli.audit.sealed", sealed=verdict.sealed) + "\n")
    else:
        from guardia.board.integrity.daily_report import describe_fault

        write(describe_fault(verdict, t) + "\n")
        if verdict.witness and verdict.bad is not None:
            write(t("cli.audit.witness", witness=verdict.witness) + "\n")
    for seq in words.get("unsettled", ()):
        write(t("cli.audit.unsettled", seq=seq) + "\n")
    for place in words.get("missing", ()):
        write(t("cli.audit.no_copy", place=place) + "\n")
