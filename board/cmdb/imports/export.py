"""Exports as CSV, which can be imported again without a change."""

from __future__ import annotations

from typing import Any

from guardia.board.cmdb.imports.layouts import LAYOUTS, SERVERS
from guardia.board.cmdb.imports.tables import export_table


def servers_as_csv(servers: list[dict[str, Any]], institutions: list[dict[str, Any]]) -> str:
    """Return servers with the names of their institutions."""
    homes = {i["id"]: i for i in institutions}
    rows = []
    for server in servers:
        home = homes[server["institution"]]
        named = {"institution_name": home["name"], "institution_aliases": home.get("aliases", [])}
        rows.append({**server, **named})
    return export_table(SERVERS, rows)


def records_as_csv(kind: str, entries: list[dict[str, Any]]) -> str:
    """Return entries of one kind."""
    return export_table(LAYOUTS[kind], entries)
