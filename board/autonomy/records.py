"""Observed plans and what followed them, read from the audit log alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session, aliased

from guardia.board.audit.canonical import canonical
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.autonomy.policy import Change, Comparison, HowEnded, compare

_PLANS = (EntryKind.PLANNED, EntryKind.WAIVED, EntryKind.STANDING_USED)
_DONE = (EntryKind.RESULT, EntryKind.FOUND_DONE)
_COMMANDS = (EntryKind.INTENT, EntryKind.FOUND_DONE)
_ENDS = {
    EntryKind.COMPLETED: HowEnded.CARRIED_OUT,
    EntryKind.FAILED: HowEnded.CARRIED_OUT,
    EntryKind.UNDONE: HowEnded.CARRIED_OUT,
}
_ORDERS = {
    "complete": HowEnded.BY_HAND,
    "abort": HowEnded.DROPPED,
    "return": HowEnded.OPEN,
    "reanalyze": HowEnded.OPEN,
    "reopen": HowEnded.OPEN,
    "change": HowEnded.OPEN,
}
_FOLLOWING = (*_PLANS, *_DONE, *_ENDS, EntryKind.INTENT, EntryKind.ORDERED, EntryKind.REJECTED)


@dataclass(frozen=True, slots=True)
class Observed:
    """One observed plan, and what people made of its issue afterwards."""

    seq: int
    sr_id: int
    observed_at: datetime
    institution: str | None
    category: str
    because: str
    would: tuple[str, ...]
    """Sentences of the actions that would have been carried out."""
    did: tuple[str, ...]
    """Sentences of the changes that were made."""
    said: tuple[str, ...]
    """What people said when they directed something."""
    comparison: Comparison


def latest_observed(since: datetime) -> Select[Any]:
    """Select the last observed plan of each task: an earlier one was superseded by it."""
    later = aliased(AuditEntry)
    superseded = exists().where(
        later.task_id == AuditEntry.task_id,
        later.kind == EntryKind.OBSERVED,
        later.seq > AuditEntry.seq,
    )
    return select(
        AuditEntry.seq,
        AuditEntry.sr_id,
        AuditEntry.task_id,
        AuditEntry.created_at,
        AuditEntry.detail,
    ).where(AuditEntry.kind == EntryKind.OBSERVED, AuditEntry.created_at >= since, ~superseded)


def compared(session: Session, rows: Sequence[Any]) -> Iterator[Observed]:
    """Yield observed plans, each compared with what followed it in its issue."""
    following = _following(session, rows)
    for row in rows:
        yield _observed(row, [e for e in following[row.sr_id] if e.seq > row.seq])


def _following(session: Session, rows: Sequence[Any]) -> dict[int | None, list[Any]]:
    found: dict[int | None, list[Any]] = defaultdict(list)
    if not rows:
        return found
    entry = AuditEntry
    query = select(entry.seq, entry.sr_id, entry.task_id, entry.kind, entry.detail).where(
        entry.sr_id.in_({row.sr_id for row in rows}),
        entry.seq > min(row.seq for row in rows),
        entry.kind.in_(_FOLLOWING),
        or_(entry.kind.not_in(_COMMANDS), entry.detail["phase"].as_string() == "do"),
    )
    for one in session.execute(query.order_by(entry.seq)):
        found[one.sr_id].append(one)
    return found


def _observed(row: Any, after: Sequence[Any]) -> Observed:
    plan = row.detail["plan"]
    would = [_change(plan["server"], action["call"]) for action in plan["actions"]]
    done = list(_changes_made(after, plan["server"]))
    effects = dict(_effects([plan, *(e.detail["plan"] for e in after if e.kind in _PLANS)]))
    ended = _how_ended(after, row.task_id)
    return Observed(
        seq=row.seq,
        sr_id=row.sr_id,
        observed_at=row.created_at,
        institution=row.detail["institution"],
        category=row.detail["category"],
        because=plan["because"],
        would=tuple(action["effect"] for action in plan["actions"]),
        did=tuple(effects.get(change, change.tool) for change in done),
        said=tuple(
            e.detail["reason"] for e in after if e.kind == EntryKind.ORDERED and e.detail["reason"]
        ),
        comparison=compare(would, done, ended),
    )


def _change(server: str, call: dict[str, Any]) -> Change:
    return Change(server, call["tool"], canonical(call["args"]).decode())


def _effects(plans: Iterable[dict[str, Any]]) -> Iterator[tuple[Change, str]]:
    for plan in plans:
        for action in plan["actions"]:
            yield _change(plan["server"], action["call"]), action["effect"]


def _changes_made(after: Sequence[Any], server: str) -> Iterator[Change]:
    """Yield the changes of a server that an intent and its result prove."""
    intents = {e.seq: e for e in after if e.kind == EntryKind.INTENT}
    done = {e.detail["intent"] for e in after if e.kind == EntryKind.RESULT}
    for found in (e for e in after if e.kind == EntryKind.FOUND_DONE):
        done |= {
            seq
            for seq, e in intents.items()
            if (e.task_id, e.detail["ordinal"]) == (found.task_id, found.detail["ordinal"])
        }
    for seq, entry in intents.items():
        if seq in done and entry.detail["server"] == server:
            yield _change(server, entry.detail)


def _how_ended(after: Sequence[Any], task_id: int) -> HowEnded:
    """Return how the observed task ended; later entries outweigh earlier ones."""
    ended = HowEnded.OPEN
    for entry in (e for e in after if e.task_id == task_id):
        if entry.kind == EntryKind.ORDERED:
            ended = _ORDERS.get(entry.detail["verb"], ended)
        elif entry.kind == EntryKind.REJECTED and entry.detail.get("then") == "close":
            ended = HowEnded.DROPPED
        else:
            ended = _ENDS.get(entry.kind, ended)
    return ended
