"""Differences between two org charts, as sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from guardia.i18n import t, t_default
from guardia.org.chart_model import OrgChart

_MAX_SHOWN = 300


@dataclass(frozen=True, slots=True)
class ChartChange:
    """One difference. `path` is an agent's id, or the path of a field."""

    kind: Literal["hired", "fired", "added", "removed", "changed"]
    path: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return t(f"org.change.{self.kind}", **self._words())

    def audit_text(self) -> str:
        """Return the sentence in the language of the audit log."""
        return t_default(f"org.change.{self.kind}", **self._words())

    def _words(self) -> dict[str, str]:
        return {"place": self.path, "before": self.before, "after": self.after}


def diff_charts(before: OrgChart | None, after: OrgChart) -> list[ChartChange]:
    """Return all differences: removed agents, new agents, then changed fields."""
    old = {a.id: a for a in before.agents} if before else {}
    new = {a.id: a for a in after.agents}
    return [
        *(ChartChange("fired", name, after=old[name].title) for name in old if name not in new),
        *(ChartChange("hired", name, after=new[name].title) for name in new if name not in old),
        *(
            change
            for name in new
            if name in old
            for change in _diff_values(name, _as_dict(old[name]), _as_dict(new[name]))
        ),
        *_diff_values(
            "",
            _without_agents(before),
            _without_agents(after) if before else _without_empty(_without_agents(after)),
        ),
    ]


def _as_dict(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = value.model_dump(mode="json", by_alias=True)
    return found


def _without_agents(chart: OrgChart | None) -> dict[str, Any]:
    """Return the chart without its agents; empty if there is no chart."""
    found = _as_dict(chart) if chart else {}
    return {key: value for key, value in found.items() if key != "agents"}


def _without_empty(found: dict[str, Any]) -> dict[str, Any]:
    """Return only the fields that hold a value: for the first chart."""
    return {
        key: inner
        for key, value in found.items()
        if (inner := _without_empty(value) if isinstance(value, dict) else value)
        not in (None, [], {}, "")
    }


def _diff_values(path: str, before: Any, after: Any) -> Iterator[ChartChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else str(key)
            if key not in after:
                yield ChartChange("removed", inner, before=_as_line(before[key]))
            elif key not in before:
                yield ChartChange("added", inner, after=_as_line(after[key]))
            else:
                yield from _diff_values(inner, before[key], after[key])
    elif (old := _by_id(before)) | (new := _by_id(after)) and _are_id_lists(before, after):
        yield from _diff_values(path, old, new)
        # Order matters: the first matching rule wins.
        if list(old) != list(new) and old.keys() == new.keys():
            yield ChartChange("changed", path, ", ".join(old), ", ".join(new))
    else:
        yield ChartChange("changed", path, _as_line(before), _as_line(after))


def _are_id_lists(before: Any, after: Any) -> bool:
    """Return whether both are lists whose entries have ids; one of them may be empty."""
    return all(value == [] or _by_id(value) for value in (before, after))


def _by_id(entries: Any) -> dict[str, Any]:
    """Return a list's entries by id; empty if they have none."""
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        return {}
    return {e["id"]: e for e in entries if "id" in e}


def _as_line(value: Any) -> str:
    """Return a value as one line of bounded length; entries with a title as their title."""
    if value is None or value in ([], ""):
        return "-"
    if isinstance(value, dict) and value.get("title"):
        return str(value["title"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
