"""Read a file of servers, in any form, as a set of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.imports.ansible import InventoryDefaults, drafts_of_inventory
from guardia.board.cmdb.imports.decoding import ImportFile, decode
from guardia.board.cmdb.imports.inventory_folders import InventoryFolders
from guardia.board.cmdb.imports.inventory_ini import read_ini
from guardia.board.cmdb.imports.inventory_yaml import read_yaml
from guardia.board.cmdb.imports.known_hosts import (
    KnownHosts,
    find_keys,
    known_name,
)
from guardia.board.cmdb.imports.layouts import LAYOUTS, SERVERS
from guardia.board.cmdb.imports.servers import drafts_of, drafts_of_servers
from guardia.board.cmdb.imports.tables import read_table
from guardia.errors import Invalid
from guardia.i18n import t

FORMATS = ("csv", "ini", "yaml")
_BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ini": "ini", ".cfg": "ini"}
_BY_SUFFIX |= {".yml": "yaml", ".yaml": "yaml"}


@dataclass(frozen=True, slots=True)
class ServerImport:
    """How a file of servers is to be read."""

    form: str = ""
    """One of `FORMATS`; empty: by the file's name and content."""
    defaults: InventoryDefaults = field(default_factory=InventoryDefaults)
    keys: KnownHosts | None = None
    host_ca: str = ""
    """Public key of an authority, for servers of the file without a key."""
    replaces_keys: bool = False
    pinned: Mapping[str, str] = field(default_factory=dict)
    """The confirmed keys of servers that exist."""
    folders: InventoryFolders | None = None
    """Variables beside an Ansible inventory."""


def read_servers(file: ImportFile, how: ServerImport) -> ChangeSet:
    """Return the institutions and servers of a file. Raises `Invalid` if it is not readable."""
    form = "csv" if file.is_workbook else how.form or _guess(file)
    if form not in FORMATS:
        raise Invalid(what=form, why=", ".join(FORMATS))
    notes: list[str] = []
    if form == "csv":
        table = read_table(file, SERVERS)
        drafts, problems, bad = drafts_of_servers(table), table.problems, table.bad
        if table.ignored:
            notes.append(t("imports.note.ignored", names=", ".join(table.ignored[:20])))
    else:
        text = decode(file)
        found = read_ini(text) if form == "ini" else read_yaml(text, file.name)
        if how.folders is not None:
            how.folders.apply(found)
        drafts, notes = drafts_of_inventory(found, how.defaults)
        if how.folders is not None and how.folders.encrypted:
            notes.append(t("imports.note.vault", files=", ".join(how.folders.encrypted[:20])))
        problems, bad = found.problems, found.bad
    drafts = [_with_default_institution(d, how.defaults.institution) for d in drafts]
    return ChangeSet(
        _with_keys(drafts, how),
        source=file.name,
        sha256=file.sha256,
        problems=problems,
        bad=bad,
        creates_institutions=True,
        replaces_keys=how.replaces_keys,
        notes=notes,
    )


def read_records(file: ImportFile, kind: str) -> ChangeSet:
    """Return the entries of a table of one kind. Raises `Invalid` if it is not readable."""
    table = read_table(file, LAYOUTS[kind])
    notes = (
        [t("imports.note.ignored", names=", ".join(table.ignored[:20]))] if table.ignored else []
    )
    return ChangeSet(
        drafts_of(kind, table),
        source=file.name,
        sha256=file.sha256,
        problems=table.problems,
        bad=table.bad,
        notes=notes,
    )


def _guess(file: ImportFile) -> str:
    if file.suffix in _BY_SUFFIX:
        return _BY_SUFFIX[file.suffix]
    head = next((line for line in decode(file).splitlines() if line.strip()), "").strip()
    if head.startswith(("[", "#", ";")):
        return "ini"
    return "yaml" if head.rstrip().endswith(":") or head == "---" else "csv"


def _with_default_institution(draft: Draft, institution: str) -> Draft:
    """Return a server of a table with the institution that was given for the whole file."""
    if draft.kind != "server" or not institution or draft.values.get("institution"):
        return draft
    return replace(draft, values={**draft.values, "institution": institution})


def _with_keys(drafts: list[Draft], how: ServerImport) -> list[Draft]:
    """Return the drafts with their host keys, or the authority that signs them."""
    if how.keys is None and not how.host_ca:
        return drafts
    open_drafts = [d for d in drafts if d.kind == "server" and not d.values.get("host_key")]
    names = {d.key: _known_names(d.values) for d in open_drafts}
    keys = find_keys(how.keys, names) if how.keys is not None else {}
    found = []
    for draft in drafts:
        if draft.kind != "server" or draft.key not in names:
            found.append(draft)
            continue
        own = keys.get(draft.key, ())
        if how.pinned.get(draft.key) in own:
            own = [how.pinned[draft.key]]
        ca = how.keys.authority(names[draft.key]) if how.keys is not None and not own else ""
        found.append(_with_key(draft, own[0] if own else "", ca or how.host_ca))
    return found


def _with_key(draft: Draft, key: str, authority: str) -> Draft:
    if key:
        return replace(draft, values={**draft.values, "host_key": key})
    if authority:
        login = {**draft.values.get("login", {}), "host_ca": authority}
        return replace(draft, values={**draft.values, "login": login})
    return draft


def _known_names(values: Mapping[str, Any]) -> tuple[str, ...]:
    text = str(values.get("port") or 22)
    port = int(text) if text.isdecimal() and len(text) <= 5 else 22
    words = dict.fromkeys(str(values.get(n) or "") for n in ("address", "id"))
    return tuple(known_name(word, port) for word in words if word)
