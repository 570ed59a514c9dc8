"""Check commands and their stored outputs: intents have results, and outputs are unaltered.

An intent is logged before each remote command and a result after it; the result holds the hash of
the output, which is stored beside the audit log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guardia.board.audit.canonical import digest, is_normalized
from guardia.board.audit.chain import AnyEntry, ChainEntry
from guardia.board.audit.kinds import EntryKind
from guardia.board.execution.model import CommandOutput

_RESULT_TIMEOUT = timedelta(minutes=30)
"""Longer than any command may take."""
_RESULTS = (EntryKind.RESULT, EntryKind.RESULT_FAILED)
_FOUND = (EntryKind.FOUND_DONE, EntryKind.FOUND_UNKNOWN)
_WATCHED = frozenset({EntryKind.INTENT, *_RESULTS, *_FOUND})
_BATCH = 200


class IntentResultChecker:
    """Check during a walk that each result has its intent and each intent its result.

    Holds only the open intents, so memory does not grow with the chain.
    """

    def __init__(self) -> None:
        self.orphan: int | None = None
        """First result without an intent, or second result of one intent."""
        self._open: dict[int, ChainEntry] = {}

    def watch(self, entries: Iterable[AnyEntry]) -> Iterator[AnyEntry]:
        """Yield the entries unchanged, checking those of commands."""
        for entry in entries:
            if entry.kind in _WATCHED and entry.consistent:
                self._check(entry.parse())
            yield entry

    def unsettled(self, now: datetime) -> tuple[int, ...]:
        """Return the intents whose result is overdue, oldest first."""
        return tuple(
            s for s, entry in self._open.items() if now - entry.created_at > _RESULT_TIMEOUT
        )

    def _check(self, entry: ChainEntry) -> None:
        if entry.kind == EntryKind.INTENT:
            self._open[entry.seq] = entry
        elif entry.kind in _RESULTS:
            if self._open.pop(_number(entry, "intent"), None) is None and self.orphan is None:
                self.orphan = entry.seq
        elif entry.kind in _FOUND:
            for seq in [s for s, intent in self._open.items() if _settles(entry, intent)]:
                del self._open[seq]


def _number(entry: ChainEntry, name: str) -> int:
    value = entry.detail.get(name)
    return value if isinstance(value, int) else 0


def _settles(found: ChainEntry, intent: ChainEntry) -> bool:
    same = ("ordinal", "phase")
    return found.task_id == intent.task_id and all(
        found.detail.get(name) == intent.detail.get(name) for name in same
    )


def first_altered(session: Session) -> int | None:
    """Return the number of the first result whose stored output was altered or removed.

    Returns 0 if an output exists that belongs to no result. Call it only on an intact chain: it
    trusts the entries.
    """
    found = [
        seq for seq in (_first_miscounted(session), *_find_altered(session)) if seq is not None
    ]
    return min(found, default=None, key=lambda seq: (seq == 0, seq))


_COUNT = text("""
    with said as (
        select r.task_id, r.detail ->> 'sha256' as sha256, count(*) as n, min(r.seq) as seq
        from tb_audit_log r join tb_audit_log i on i.seq = (r.detail ->> 'intent')::bigint
        where r.kind in ('result', 'result_failed') and i.detail ->> 'phase' = 'read'
        group by 1, 2
    ), kept as (
        select task_id, sha256, count(*) as n from tb_evidence group by 1, 2
    )
    select min(coalesce(said.seq, (
        select min(seq) from tb_audit_log l
        where l.task_id = kept.task_id and l.kind in ('result', 'result_failed')), 0))
    from said full join kept on kept.task_id = said.task_id and kept.sha256 = said.sha256
    where said.n is distinct from kept.n
""")


def _first_miscounted(session: Session) -> int | None:
    found = session.scalar(_COUNT)
    return int(found) if found is not None else None


def _find_altered(session: Session) -> Iterator[int]:
    after = 0
    while True:
        rows = session.execute(
            select(
                CommandOutput.evidence_id,
                CommandOutput.task_id,
                CommandOutput.findings,
                CommandOutput.output,
                CommandOutput.sha256,
            )
            .where(CommandOutput.evidence_id > after)
            .order_by(CommandOutput.evidence_id)
            .limit(_BATCH)
        ).all()
        for row in rows:
            if not _is_unaltered(row.findings, row.output, row.sha256):
                yield _entry_of(session, row.task_id, row.sha256)
                return
        if len(rows) < _BATCH:
            return
        after = rows[-1].evidence_id


def _is_unaltered(findings: object, output: str, sha256: str) -> bool:
    try:
        # `digest` normalizes Unicode; outputs are always stored normalized.
        same = is_normalized(findings) and is_normalized(output)
        return same and digest({"findings": findings, "output": output}) == sha256
    except TypeError:
        return False


def _entry_of(session: Session, task_id: int, sha256: str) -> int:
    found = session.scalar(
        text(
            "select min(seq) from tb_audit_log where task_id = :task"
            " and kind in ('result', 'result_failed') and detail ->> 'sha256' = :sha256"
        ),
        {"task": task_id, "sha256": sha256},
    )
    return int(found or 0)
