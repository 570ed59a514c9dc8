"""Add many documents with progress and a report of those that were refused."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from guardia.errors import UserError
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.artifacts.blob_store import BlobStore
    from guardia.board.core.context import BoardContext
    from guardia.board.knowledge.policy import DocumentDetails
    from guardia.knowledge.bulk import FoundFile
    from guardia.org.directory import PersonInfo

_SHOW_EVERY = 25
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of the files of an import."""

    added: list[int] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Name of a file and why it was refused."""
    skipped: int = 0
    """Files whose content is registered already."""
    unread: int = 0


def run(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    source: Path,
    details: DocumentDetails,
    *,
    submit: bool,
) -> ImportResult:
    """Add every file of a folder or archive; a repeated import adds only what is new."""
    from guardia.board.knowledge import import_view
    from guardia.knowledge import bulk

    known = set(import_view.known_digests(board, person))
    found = ImportResult()
    skipped = 0
    for file in bulk.files(source):
        digest = hashlib.sha256(file.content).hexdigest()
        if not file.problem and digest in known:
            skipped += 1
            continue
        try:
            if file.problem:
                found.failed.append((file.name, file.problem))
                continue
            found.added.append(_add(board, store, person, details, file, submit=submit))
            known.add(digest)
        except UserError as error:
            found.failed.append((file.name, str(error)))
        _progress(len(found.added) + len(found.failed))
    _progress_end()
    return dataclasses.replace(found, skipped=skipped)


def _add(
    board: BoardContext,
    store: BlobStore,
    person: PersonInfo,
    details: DocumentDetails,
    file: FoundFile,
    *,
    submit: bool,
) -> int:
    from guardia.board.knowledge import contents, records
    from guardia.board.knowledge.forms import title_of
    from guardia.board.knowledge.records import NewFile

    named = dataclasses.replace(details, title=title_of(file.name))
    with contents.receive_bytes(board, store, file.content) as incoming:
        new = NewFile(file.name, source="import")
        return records.add_document(board, store, person, named, new, incoming, submit=submit)


def wait(board: BoardContext, found: ImportResult, seconds: float) -> ImportResult:
    """Wait until a worker has read the files; add those that are unreadable to the report."""
    from guardia.board.knowledge import import_view

    deadline = time.monotonic() + seconds
    unread = import_view.unread(board, found.added)
    while unread and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
        unread = import_view.unread(board, found.added)
    failed = [
        (f"{name} ({number})", why)
        for number, name, why in import_view.unreadable(board, found.added)
    ]
    return dataclasses.replace(found, failed=[*found.failed, *failed], unread=unread)


def show(found: ImportResult) -> None:
    """Print what became of the files."""
    for name, why in found.failed:
        sys.stdout.write(f"  {name}: {why}\n")
    words = {"added": len(found.added), "failed": len(found.failed)}
    sys.stdout.write(t("documents.cli.summary", **words) + "\n")
    if found.skipped:
        sys.stdout.write(t("documents.cli.skipped", count=found.skipped) + "\n")
    if found.unread:
        sys.stdout.write(t("documents.cli.still_unread", count=found.unread) + "\n")


def _progress(done: int) -> None:
    if sys.stderr.isatty() and done % _SHOW_EVERY == 0:
        sys.stderr.write(f"\r{t('documents.cli.progress')} {done:,}")
        sys.stderr.flush()


def _progress_end() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
