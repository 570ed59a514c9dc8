"""Drafts of institutions and servers from a table."""

from __future__ import annotations

from typing import Any

from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.imports.tables import TableRows
from guardia.i18n import t


def drafts_of_servers(found: TableRows) -> list[Draft]:
    """Return the entries of a table of servers; a line without an id or institution is noted."""
    institutions: dict[str, Draft] = {}
    servers = []
    for line, values in found.rows:
        name, aliases = (
            values.pop("institution_name", None),
            values.pop("institution_aliases", None),
        )
        home = values.get("institution") or name
        homeless = "institution" in values and not home
        if homeless or not values.get("id"):
            field = t(f"imports.field.{'institution' if values.get('id') else 'id'}")
            found.refuse(line, "missing", field=field)
            continue
        if home:
            values["institution"] = home
        if name and values["institution"] != name:
            given = Draft("institution", line, _institution(home, name, aliases))
            first = institutions.setdefault(home, given)
            if first.values["name"] != name:
                found.refuse(line, "other_name", value=name, first=first.line)
                continue
        servers.append(Draft("server", line, _without_none(values)))
    return [*institutions.values(), *servers]


def drafts_of(kind: str, found: TableRows) -> list[Draft]:
    """Return the entries of a table of one kind."""
    return [Draft(kind, line, _without_none(values)) for line, values in found.rows]


def _institution(home: str, name: str, aliases: list[str] | None) -> dict[str, Any]:
    return {"id": home, "name": name} | ({"aliases": aliases} if aliases else {})


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Return values in which an empty cell is the empty value of its field."""
    found = {name: _EMPTY.get(name, "") if v is None else v for name, v in values.items()}
    login = found.get("login")
    if isinstance(login, dict):
        found["login"] = {k: _EMPTY_LOGIN.get(k, "") if v is None else v for k, v in login.items()}
    return found


_EMPTY: dict[str, Any] = {
    "aliases": [],
    "groups": [],
    "services": [],
    "members": [],
    "port": 22,
}
_EMPTY_LOGIN: dict[str, Any] = {"authentication": "key", "elevate": "sudo", "bastions": []}
