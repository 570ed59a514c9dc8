"""Compare what is to be with what is: changes, and what is wrong with which line. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from guardia.board.cmdb.records import KINDS, Record, record_key
from guardia.i18n import t, t_default

MAX_PROBLEMS = 200
"""Bad lines that are kept; the others are counted."""
_STANDARD = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "literal_error": "choice",
    "string_type": "text",
    "string_too_long": "long",
    "too_long": "many",
    "too_short": "few",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "truth"),
    **dict.fromkeys(("model_type", "dict_type", "tuple_type", "list_type"), "shape"),
}
"""Our text by pydantic's kind of error."""
_BOUNDS = {"port": (1, 65535), "proficiency": (1, 5)}
_MAX_SHOWN = 80
_IN_WORDS = {
    "days": frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"}),
    "duty": frozenset({"primary", "deputy"}),
    "holidays": frozenset({"as_usual", "off", "only"}),
}
"""Values that have texts, by field."""
_QUOTED = re.compile(r"'([^']*)'")
Text = Callable[..., str]
"""A catalogue of texts in one language."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Values for one entry, and where they were written."""

    kind: str
    line: int
    values: Mapping[str, Any]
    whole: bool = False
    """Whether a field that is not named gets its default; otherwise it keeps its value."""

    @property
    def key(self) -> str:
        """The entry that is meant."""
        return record_key(KINDS[self.kind].KEYS, self.values)


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be used: what is wrong, and what to do."""

    line: int
    """0: it was in no file."""
    what: str
    remedy: str
    field: str = ""
    """The field that names something unknown, if that is the fault."""

    def __str__(self) -> str:
        key = "imports.bad_line" if self.line else "imports.bad_entry"
        return t(key, line=self.line, what=self.what, remedy=self.remedy)


def in_file_order(problems: Iterable[BadLine]) -> list[BadLine]:
    """Return bad lines as their reader meets them in the file."""
    return sorted(problems, key=lambda bad: bad.line)


@dataclass(frozen=True, slots=True)
class CmdbDifference:
    """One entry that is added, changed or removed."""

    kind: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def verb(self) -> str:
        """`added`, `changed` or `removed`."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    def fields(self) -> list[tuple[str, Any, Any]]:
        """Return each field that differs with its values."""
        old, new = self.before or {}, self.after or {}
        return [
            (name, old.get(name), new.get(name))
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]

    def __str__(self) -> str:
        return t(f"imports.difference.{self.verb}", **self._words(t))

    def audit_text(self) -> str:
        """Return the sentence in the language of the audit log."""
        return t_default(f"imports.difference.{self.verb}", **self._words(t_default))

    def _words(self, text: Text) -> dict[str, str]:
        shown = "; ".join(
            f"{_label(name, text)}: {_value(name, old, text)} → {_value(name, new, text)}"
            for name, old, new in self.fields()
        )
        return {"kind": text(f"imports.kind.{self.kind}"), "key": self.key, "fields": shown}


@dataclass
class CmdbComparison:
    """What applying the drafts would do."""

    changes: list[CmdbDifference] = field(default_factory=list)
    unchanged: int = 0
    problems: list[BadLine] = field(default_factory=list)
    bad: int = 0
    """Number of bad lines, also of those that are not in `problems`."""

    def refuse(self, line: int, key: str, *, place: str = "", **values: object) -> None:
        """Note a bad line; `place` is the field that names something unknown."""
        self.bad += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(replace(bad_line(line, key, **values), field=place))

    def count(self, verb: str) -> int:
        """Return the number of changes of one sort."""
        return sum(1 for change in self.changes if change.verb == verb)


def bad_line(line: int, key: str, **values: object) -> BadLine:
    """Return a bad line with its texts."""
    return BadLine(
        line,
        t(f"imports.bad.{key}.what", **values),
        t(f"imports.bad.{key}.remedy", **values),
    )


def compare(
    drafts: Iterable[Draft],
    current: Mapping[str, Mapping[str, dict[str, Any]]],
    complete: Iterable[str] = (),
    found: CmdbComparison | None = None,
) -> CmdbComparison:
    """Compare drafts with the current entries of each kind, which are values by key.

    Of the kinds in `complete`, entries that no draft names are removed.
    """
    result = found or CmdbComparison()
    seen: dict[tuple[str, str], int] = {}
    for draft in drafts:
        key = draft.key
        if (draft.kind, key) in seen:
            first = seen[draft.kind, key]
            result.refuse(draft.line, "twice", value=key, first=first)
            continue
        seen[draft.kind, key] = draft.line
        record = _record(draft, current[draft.kind].get(key), result)
        if record is None:
            continue
        before, after = current[draft.kind].get(record.key), record.as_values()
        if before == after:
            result.unchanged += 1
        else:
            result.changes.append(CmdbDifference(draft.kind, record.key, before, after))
    # What a bad line was to name is unknown: then nothing is removed for not being named.
    for kind in () if result.bad else complete:
        result.changes += [
            CmdbDifference(kind, key, before, None)
            for key, before in current[kind].items()
            if (kind, key) not in seen
        ]
    return result


def _record(draft: Draft, before: dict[str, Any] | None, result: CmdbComparison) -> Record | None:
    """Return the entry that a draft makes; a bad line is noted and gives `None`."""
    values = dict(draft.values) if draft.whole else _merged(before or {}, draft.values)
    try:
        return KINDS[draft.kind].model_validate(values)
    except ValidationError as error:
        result.bad += 1
        for details in error.errors(include_url=False, include_input=True)[:3]:
            if len(result.problems) < MAX_PROBLEMS:
                result.problems.append(problem_of(draft.line, details))
        return None


def _merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with those given put in; `login` is merged field by field."""
    found = {**before, **given}
    login = {**before.get("login", {}), **given.get("login", {})}
    return found | ({"login": login} if login else {})


def problem_of(line: int, details: ErrorDetails) -> BadLine:
    """Return a bad line for a fault of a record."""
    place = ".".join(str(part) for part in details["loc"])
    label = _label(place)
    context = dict(details.get("ctx", {}))
    kind = details["type"]
    key = _STANDARD.get(kind, kind)
    least, most = _BOUNDS.get(place.rpartition(".")[2], ("-", "-"))
    words = {"field": label, "value": _as_text(details["input"]), "least": least, "most": most}
    if "expected" in context:
        choices = _QUOTED.findall(str(context["expected"]))
        context["expected"] = ", ".join(_value(place, choice, t) for choice in choices)
    try:
        return bad_line(line, key, **(words | context))
    except KeyError:
        return bad_line(line, "other", field=label, why=details["msg"])


def _label(place: str, text: Text = t) -> str:
    head, _, rest = place.partition(".")
    try:
        name = text(f"imports.field.{head}")
    except KeyError:
        return place
    return f"{name}.{rest}" if rest else name


def _value(place: str, value: Any, text: Text) -> str:
    """Return a value as people read it: choices and days in words."""
    if value and (known := _IN_WORDS.get(place)):
        words = [value] if isinstance(value, str) else value
        value = [text(f"imports.value.{word}") if word in known else word for word in words]
    return _as_text(value)


def _as_text(value: Any) -> str:
    """Return a value as one short line."""
    if value in (None, "", [], {}):
        return "-"
    if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
        value = ", ".join(value)
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def by_kind(changes: Iterable[CmdbDifference], kind: str) -> Iterator[CmdbDifference]:
    """Yield the changes of one kind."""
    return (change for change in changes if change.kind == kind)
