"""The values that keys of the issue filter take, with their names in both languages. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from guardia.board.core.lifecycle import State
from guardia.i18n import LANGUAGES, catalogue, t

IS = (
    "open", "closed", "issue", "unassigned", "stalled", "overdue", "goal", "child", "parent",
)  # fmt: skip
FIELDS = (
    "assignee", "priority", "category", "kind", "institution", "server", "agent", "due",
    "author", "parent", "goal",
)  # fmt: skip
"""What an issue can have or not have: `no:` and `has:`."""
SORTS = ("created", "updated", "priority", "due", "status", "category", "institution", "assignee")
DATES = ("created", "updated", "closed", "due")
PEOPLE = ("assignee", "author", "involves", "mentions", "commenter")

_TEXTS = {
    "status": ("state", ""),
    "priority": ("web", "priority"),
    "category": ("web", "category"),
    "kind": ("web", "kind"),
    "is": ("issues", "is"),
    "no": ("issues", "key"),
    "has": ("issues", "key"),
    "sort": ("issues", "sort"),
}


@cache
def fixed_values(key: str) -> tuple[str, ...]:
    """Return the values of a key that has a fixed list of them; otherwise none."""
    if key == "sort":
        return tuple(f"{name}-{way}" for name in SORTS for way in ("asc", "desc"))
    lists: dict[str, Iterable[str]] = {
        "is": IS,
        "no": FIELDS,
        "has": FIELDS,
        "status": (state.value.lower() for state in State),
        "priority": _texts("ko", "priority"),
        "category": _texts("ko", "category"),
        "kind": _texts("ko", "kind"),
    }
    return tuple(lists.get(key, ()))


def _texts(language: str, key: str) -> dict[str, str]:
    name, table = _TEXTS[key]
    found = catalogue(language, name)
    return dict(found[table] if table else found)


@cache
def _spellings(key: str) -> dict[str, str]:
    """Return the values of a key by everything that means them, in lower case."""
    found: dict[str, str] = {}
    for value in fixed_values(key):
        found[value.lower()] = value
        found[value.lower().replace("_", "-")] = value
        for language in LANGUAGES:
            name = _texts(language, key).get(_text_name(key, value))
            if isinstance(name, str):
                found.setdefault(name.lower(), value)
    if key == "sort":
        for language in LANGUAGES:
            names = {name: _texts(language, key)[name].lower() for name in SORTS}
            found |= {label: name for name, label in names.items()}
            found |= {
                f"{names[v.partition('-')[0]]}-{v.partition('-')[2]}": v for v in fixed_values(key)
            }
        found |= {name: name for name in SORTS}
    return found


def _text_name(key: str, value: str) -> str:
    return value.upper() if key == "status" else value


def read_value(key: str, written: str) -> str | None:
    """Return the value that a person means, in English or Korean, or `None`."""
    return _spellings(key).get(written.lower())


def value_label(key: str, value: str) -> str:
    """Return the name of a value in the language of the page."""
    name, table = _TEXTS[key]
    path = ".".join(part for part in (name, table, _text_name(key, value)) if part)
    try:
        return t(path)
    except KeyError:
        return value
