"""Read the documents that people have added, in the bounded process."""

from __future__ import annotations

import logging

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import readings
from guardia.board.knowledge.readings import ReadText
from guardia.errors import GuardiaError
from guardia.heartbeat import runbook_checks
from guardia.i18n import t_default
from guardia.knowledge.loaders.sandbox import FileContent, Sandbox
from guardia.knowledge.runbook import parse

log = logging.getLogger(__name__)


def carry_out(board: BoardContext, store: BlobStore, sandbox: Sandbox, version_id: int) -> None:
    """Read one version; what goes wrong is its result."""
    found = readings.to_read(board, version_id)
    if found is None:
        return
    try:
        store.open(found.sha256).close()
    except GuardiaError as error:
        readings.settle(board, version_id, str(error))
        return
    path = store.path(found.sha256)
    content = sandbox.read(path, found.file_name, found.runbook)
    if found.runbook and not content.problem:
        # The process has parsed it within its limits, so it is no bomb.
        problems = runbook_checks.problems(parse(path.read_bytes(), f"{found.runbook}.md"))
        if problems:
            why = t_default("documents.problem.runbook", why="; ".join(problems)[:500])
            readings.settle(board, version_id, why)
            return
    readings.settle(board, version_id, _result(content))
    log.info("read version %s in %s ms %s", version_id, content.milliseconds, content.problem)


def _result(content: FileContent) -> ReadText | str:
    if content.problem:
        return t_default(f"documents.problem.{content.problem}", **content.values)
    return ReadText(
        content.format, content.pages, content.body, content.passages, content.milliseconds
    )
