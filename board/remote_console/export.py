"""A run as a file: CSV for a spreadsheet, or text with every output."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from guardia.board.cmdb.imports.workbook import mark_formula
from guardia.board.core.labels import format_time
from guardia.board.remote_console.view import RemoteRunView, RunTargetView
from guardia.i18n import t

_COLUMNS = ("server", "state", "started", "milliseconds", "findings", "output", "why")


def as_csv(rows: Iterable[RunTargetView]) -> Iterator[str]:
    """Yield the rows as CSV with a BOM, as Excel reads it; no text is run as a formula."""
    yield "\ufeff" + _csv_line([t(f"remote.column.{name}") for name in _COLUMNS])
    for one in rows:
        yield _csv_line(
            [
                one.server,
                t(f"remote.target.{one.state}"),
                format_time(one.started_at) if one.started_at else "",
                "" if one.milliseconds is None else str(one.milliseconds),
                json.dumps(one.findings, ensure_ascii=False) if one.findings else "",
                one.output,
                one.why,
            ]
        )


def _csv_line(cells: Iterable[str]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow(map(mark_formula, cells))
    return buffer.getvalue()


def as_text(run: RemoteRunView, rows: Iterable[RunTargetView]) -> Iterator[str]:
    """Yield a run as text: what was done, and each server with its output."""
    args = " ".join(f"{name}={value}" for name, value in run.args.items())
    yield f"{t('remote.number', number=run.number)} {run.tool} {args}".rstrip() + "\n"
    yield f"{t('remote.by')}: {run.created_by} {format_time(run.created_at)}\n"
    if run.reason:
        yield f"{t('remote.reason')}: {run.reason}\n"
    for one in rows:
        time = "" if one.milliseconds is None else f" {one.milliseconds} ms"
        yield f"\n===== {one.server} [{t(f'remote.target.{one.state}')}]{time}\n"
        for text in (one.why, one.output):
            if text:
                yield text.rstrip("\n") + "\n"
        if one.is_cut:
            yield t("remote.cut") + "\n"
