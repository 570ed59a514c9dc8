"""What differs between two org charts, as people read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from guardia.i18n import t, t_record
from guardia.org.chart_model import OrgChart

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``place`` is an agent's id, or the path of a field."""

    kind: Literal["hired", "fired", "added", "removed", "changed"]
    place: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return t(f"org.change.{self.kind}", **self._words())

    def record(self) -> str:
        """The sentence in the language of the record."""
        return t_record(f"org.change.{self.kind}", **self._words())

    def _words(self) -> dict[str, str]:
        return {"place": self.place, "before": self.before, "after": self.after}


def changes(before: OrgChart | None, after: OrgChart) -> list[Change]:
    """Everything that differs: first who goes, then who comes, then what is different."""
    old = {a.id: a for a in before.agents} if before else {}
    new = {a.id: a for a in after.agents}
    return [
        *(Change("fired", name, after=old[name].title) for name in old if name not in new),
        *(Change("hired", name, after=new[name].title) for name in new if name not in old),
        *(
            change
            for name in new
            if name in old
            for change in _differing(name, _dump(old[name]), _dump(new[name]))
        ),
        *_differing("", _rest(before), _rest(after) if before else _filled(_rest(after))),
    ]


def _dump(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value.model_dump(mode="json", by_alias=True)
    return found


def _rest(chart: OrgChart | None) -> dict[str, Any]:
    """The chart without its agents; nothing where there is none."""
    found = _dump(chart) if chart else {}
    return {key: value for key, value in found.items() if key != "agents"}


def _filled(found: dict[str, Any]) -> dict[str, Any]:
    """A first chart's fields that say anything."""
    return {
        key: inner
        for key, value in found.items()
        if (inner := _filled(value) if isinstance(value, dict) else value) not in (None, [], {}, "")
    }


def _differing(place: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{place}.{key}" if place else str(key)
            if key not in after:
                yield Change("removed", inner, before=_short(before[key]))
            elif key not in before:
                yield Change("added", inner, after=_short(after[key]))
            else:
                yield from _differing(inner, before[key], after[key])
    elif (old := _by_id(before)) | (new := _by_id(after)) and _listed(before, after):
        yield from _differing(place, old, new)
        # Whichever comes first counts.
        if list(old) != list(new) and old.keys() == new.keys():
            yield Change("changed", place, ", ".join(old), ", ".join(new))
    else:
        yield Change("changed", place, _short(before), _short(after))


def _listed(before: Any, after: Any) -> bool:
    """Whether both are lists whose entries have ids, though one of them may be empty."""
    return all(value == [] or _by_id(value) for value in (before, after))


def _by_id(entries: Any) -> dict[str, Any]:
    """A list's entries by their ids; nothing where they have none."""
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        return {}
    return {e["id"]: e for e in entries if "id" in e}


def _short(value: Any) -> str:
    """A value as one line of bounded length; what has a title by that."""
    if value is None or value in ([], ""):
        return "-"
    if isinstance(value, dict) and value.get("title"):
        return str(value["title"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
