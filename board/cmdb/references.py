"""Entries that refer to others: refuse changes that would point to nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardia.board.cmdb.changes import CmdbComparison, CmdbDifference, by_kind
from guardia.board.cmdb.records import KINDS

_REFERENCES: dict[str, dict[str, str]] = {
    "server": {"institution": "institution"},
    "team": {"institution": "institution", "lead": "person", "members": "person"},
    "skill": {"person": "person"},
    "owner": {
        "person": "person",
        "team": "team",
        "server": "server",
        "institution": "institution",
    },
    "duty": {"institution": "institution", "person": "person", "team": "team"},
    "duty_exception": {"duty": "duty", "person": "person"},
}
"""The kind of what a field names."""


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there before the changes, and what must not be removed."""

    entries: Mapping[str, Mapping[str, dict[str, Any]]]
    people: frozenset[str]
    busy_servers: frozenset[str] = frozenset()
    """Servers with tasks that are not over."""
    homes: frozenset[str] = frozenset()
    """Institutions of accounts."""
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    replace_keys: bool = False
    """Whether a confirmed host key may be replaced."""


def drop_broken(found: CmdbComparison, existing: Existing) -> None:
    """Note every change that is not possible as a bad line, and take it out."""
    _drop_doubles(found, existing)
    known = {kind: set(entries) for kind, entries in existing.entries.items()}
    known["person"] = set(existing.people)
    kept: list[CmdbDifference] = []
    for kind in KINDS:
        for change in by_kind(found.changes, kind):
            line = existing.lines.get((kind, change.key), 0)
            problem = _problem(change, known, existing)
            if problem is not None:
                found.refuse(line, problem[0], **problem[1])
                continue
            kept.append(change)
            if change.after is not None:
                known[kind].add(change.key)
    found.changes = kept
    _drop_needed_removals(found, existing)


def _drop_doubles(found: CmdbComparison, existing: Existing) -> None:
    """Take out servers whose id or address another one has."""
    changed = {c.key for c in found.changes if c.kind == "server"}
    others = {k: v for k, v in existing.entries["server"].items() if k not in changed}
    ids = {key.lower(): key for key in others}
    places = {place: key for key, values in others.items() if (place := _place(values))}
    kept = []
    for change in found.changes:
        if change.kind == "server" and change.after is not None:
            place = _place(change.after)
            same_id, same_place = ids.get(change.key.lower()), places.get(place or ())
            if same_id or same_place:
                key = "same_id" if same_id else "same_address"
                line = existing.lines.get(("server", change.key), 0)
                found.refuse(line, key, value=same_id or same_place)
                continue
            ids[change.key.lower()] = change.key
            if place:
                places[place] = change.key
        kept.append(change)
    found.changes = kept


def _place(values: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the address by which a server is reached; empty if it has none."""
    if not values.get("address"):
        return ()
    bastions = tuple(values.get("login", {}).get("bastions", ()))
    return values["address"], values.get("port", 22), bastions


def _problem(
    change: CmdbDifference, known: Mapping[str, set[str]], existing: Existing
) -> tuple[str, dict[str, str]] | None:
    """Return what makes a change impossible, as a key of `imports.bad` with its values."""
    if change.after is None:
        if change.kind == "server" and change.key in existing.busy_servers:
            return "busy_server", {"value": change.key}
        if change.kind == "institution" and change.key in existing.homes:
            return "home", {"value": change.key}
        return None
    for name, target in _REFERENCES.get(change.kind, {}).items():
        for value in _as_list(change.after.get(name)):
            if value not in known[target]:
                return f"no_{target}", {"value": value, "place": name}
    return _server_problem(change, known, existing) if change.kind == "server" else None


def _server_problem(
    change: CmdbDifference, known: Mapping[str, set[str]], existing: Existing
) -> tuple[str, dict[str, str]] | None:
    before, after = change.before or {}, change.after or {}
    pinned = before.get("host_key", "")
    if pinned and pinned != after.get("host_key", "") and not existing.replace_keys:
        return "confirmed_key", {"value": change.key}
    for bastion in after.get("login", {}).get("bastions", ()):
        # The bastion may come later in the same file.
        is_known = bastion in known["server"] or ("server", bastion) in existing.lines
        if bastion == change.key or not is_known:
            return "bastion", {"value": bastion}
    return None


def _drop_needed_removals(found: CmdbComparison, existing: Existing) -> None:
    """Take out removals of what other entries will still name."""
    removed = {(c.kind, c.key) for c in found.changes if c.after is None}
    if not removed:
        return
    needed = dict(_references_after(found, existing))
    for change in [c for c in found.changes if (c.kind, c.key) in removed]:
        by = needed.get((change.kind, change.key))
        if by is not None:
            found.refuse(0, "needed", value=change.key, by=by)
            found.changes.remove(change)


def _references_after(
    found: CmdbComparison, existing: Existing
) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what each entry names after the changes, with that entry."""
    changed = {(c.kind, c.key): c.after for c in found.changes}
    for kind, fields in _REFERENCES.items():
        now = {**existing.entries[kind], **{k: v for (c, k), v in changed.items() if c == kind}}
        for key, values in now.items():
            for name, target in fields.items():
                for value in _as_list((values or {}).get(name)):
                    yield (target, value), key


def _as_list(value: Any) -> list[str]:
    if not value:
        return []
    return [value] if isinstance(value, str) else list(value)
