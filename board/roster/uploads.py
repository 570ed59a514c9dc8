"""Import tables of the duty roster from a page: first what would change, then all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardia.board.approvals import absences
from guardia.board.approvals.absences import AbsenceRequest
from guardia.board.cmdb import applying, revisions
from guardia.board.cmdb.changes import BadLine, in_file_order
from guardia.board.cmdb.imports.decoding import ImportFile, require_readable
from guardia.board.cmdb.imports.layouts import ABSENCES
from guardia.board.cmdb.imports.reading import read_records
from guardia.board.cmdb.imports.tables import TableRows, read_table
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.roster.editing import EDIT
from guardia.board.roster.fields import IMPORTED, absence_of
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

MAX_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import changes, and which lines cannot be used."""

    changes: tuple[str, ...]
    problems: tuple[BadLine, ...]
    bad: int
    unchanged: int
    digest: str
    """Names what was shown: only that is applied."""
    notes: tuple[str, ...] = ()


def check(board: BoardContext, by: PersonInfo, kind: str, file: ImportFile) -> ImportReport:
    """Return what an import would change, without writing anything."""
    _require(by, kind, file)
    if kind == "absence":
        return _check_absences(board, file)
    given = read_records(file, kind)
    found = applying.preview(board, given)
    return ImportReport(
        tuple(map(str, found.changes)),
        tuple(found.problems),
        found.bad,
        found.unchanged,
        revisions.digest(found.changes),
        tuple(given.notes),
    )


def carry_out(
    board: BoardContext,
    by: PersonInfo,
    kind: str,
    file: ImportFile,
    *,
    seen: str,
    skip_bad: bool = False,
) -> None:
    """Import what `check()` has shown as `seen`. Raises `Invalid` and `Stale`."""
    actor = _require(by, kind, file)
    if kind == "absence":
        _import_absences(board, actor, file, skip_bad=skip_bad)
        return
    given = read_records(file, kind)
    applying.apply(board, actor, given, skip_bad=skip_bad, expected=seen)


def _require(by: PersonInfo, kind: str, file: ImportFile) -> Actor:
    """Return who acts. Raises `Invalid` for a kind or a file that this does not import."""
    actor = require_actor(by, EDIT)
    if kind == "team":
        require_permission(by, "team.edit")
    if kind not in IMPORTED:
        raise Invalid(what=kind[:40], why=t("roster.upload.kind"), field="kind")
    if not file.content:
        raise Invalid(what=t("roster.upload.file"), why=t("roster.upload.choose"), field="file")
    if len(file.content) > MAX_BYTES:
        why = t("imports.too_large", limit=MAX_BYTES // 1_000_000)
        raise Invalid(what=file.name[:80], why=why, field="file")
    require_readable(file)
    return actor


def _check_absences(board: BoardContext, file: ImportFile) -> ImportReport:
    table, wanted = _absences(board, file)
    shown = tuple(
        t(
            "roster.upload.absence",
            person=one.person,
            first=one.first_day,
            last=one.last_day,
            substitute=one.substitute or "-",
        )
        for one in wanted
    )
    return ImportReport(shown, tuple(in_file_order(table.problems)), table.bad, 0, file.sha256)


def _absences(board: BoardContext, file: ImportFile) -> tuple[TableRows, Sequence[AbsenceRequest]]:
    """Return a table and the absences of its good lines."""
    table = read_table(file, ABSENCES)
    found: dict[int, AbsenceRequest] = {}
    for line, values in table.rows:
        try:
            found[line] = absence_of(values)
        except Invalid:
            table.refuse(line, "date", value=f"{values.get('first_day') or '-'}")
    lines = list(found)
    for problem in absences.find_problems(board, list(found.values())):
        table.refuse(lines[problem.index], problem.key, value=problem.value)
        del found[lines[problem.index]]
    return table, list(found.values())


def _import_absences(
    board: BoardContext, actor: Actor, file: ImportFile, *, skip_bad: bool
) -> None:
    table, wanted = _absences(board, file)
    if table.bad and not skip_bad:
        raise Invalid(what=file.name, why=t("imports.refused", count=table.bad))
    absences.set_absences(board, actor, wanted)
