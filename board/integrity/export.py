"""Export the whole audit log to a file that others can verify independently."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardia.board.audit import log
from guardia.board.audit.canonical import canonical
from guardia.board.audit.signing_keys import public_hex
from guardia.board.audit.verifier import FORMAT
from guardia.board.core.context import BoardContext
from guardia.db.private_files import fsync_folder
from guardia.errors import Invalid
from guardia.i18n import t

_BATCH = 2000


def export_log(board: BoardContext, file: Path) -> tuple[int, str]:
    """Write all entries up to a fresh checkpoint; returns their number and the key's fingerprint.

    The file is replaced atomically. Memory use does not grow with the audit log.
    """
    newest = board.notary.sign(board)
    if newest is None:
        raise Invalid(what="export", why=t("audit.empty"))
    try:
        root = board.notary.root_key()
        _write(file, _lines(board, newest.size, newest.key, public_hex(root) if root else ""))
    except OSError as error:
        raise Invalid(what=str(file), why=error.strerror or "") from error
    return newest.size, newest.key


def _lines(board: BoardContext, until: int, key: str, root: str) -> Iterator[bytes]:
    yield _line(export={"format": FORMAT, "chain": log.CHAIN, "key": key, "root": root})
    count, after = 0, 0
    while after < until:
        # Entries never change, so several short transactions read the same as one long one.
        up_to = min(after + _BATCH, until)
        with board.database.reading() as session:
            links = list(log.entries(session, after, up_to))
            signed = {c.size: c for c in log.checkpoints(session, after, up_to)}
        for entry in links:
            yield _line(entry={**entry.body(), "current_hash": entry.current_hash})
            if entry.seq in signed:
                count += 1
                yield _line(checkpoint=signed.pop(entry.seq).to_dict())
        after = up_to
    yield _line(end={"entries": until, "checkpoints": count})


def _line(**value: Any) -> bytes:
    return canonical(value) + b"\n"


def _write(file: Path, lines: Iterator[bytes]) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.writelines(lines)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
        fsync_folder(file.absolute().parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
