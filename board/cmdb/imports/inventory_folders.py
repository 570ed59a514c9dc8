"""Variables beside an Ansible inventory: `group_vars` and `host_vars`.

Each entry is a file of YAML or JSON named after the group or host, or a folder of such files. What
is encrypted (Ansible Vault) holds secrets and is never read: its name is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardia.board.cmdb.imports.decoding import decode, read_file
from guardia.board.cmdb.imports.inventory_model import AnsibleInventory
from guardia.board.cmdb.imports.inventory_yaml import read_variables
from guardia.errors import Invalid
from guardia.i18n import t

_SUFFIXES = ("", ".yml", ".yaml", ".json")
_MOST_FILES = 20_000
_VAULT = "$ANSIBLE_VAULT;"


@dataclass
class InventoryFolders:
    """Variables by group and by host."""

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    encrypted: list[str] = field(default_factory=list)

    def apply(self, found: AnsibleInventory) -> None:
        """Put the variables into an inventory; they win over those that it has itself."""
        for name, variables in self.groups.items():
            if name == "all":
                found.everywhere |= variables
            elif name in found.groups:
                found.groups[name].variables |= variables
        for name, variables in self.hosts.items():
            if name in found.hosts:
                found.hosts[name] |= variables


def read_folders(inventory: Path) -> InventoryFolders:
    """Return the variables beside an inventory. Raises `Invalid` for an unreadable file."""
    found, count = InventoryFolders(), 0
    for folder, into in (("group_vars", found.groups), ("host_vars", found.hosts)):
        for name, path in _files(inventory.parent / folder):
            count += 1
            if count > _MOST_FILES:
                raise Invalid(what=folder, why=t("imports.many_files", most=_MOST_FILES))
            text = decode(read_file(path))
            shown = str(path.relative_to(inventory.parent))
            if text.startswith(_VAULT):
                found.encrypted.append(shown)
                continue
            into.setdefault(name, {}).update(read_variables(text, shown))
    return found


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of a group or host with each file of its variables, in Ansible's order."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir():
            for path in sorted(entry.rglob("*")):
                if path.is_file() and _is_read(path):
                    yield entry.name, path
        elif entry.is_file() and _is_read(entry):
            suffix = entry.suffix if entry.suffix in _SUFFIXES else ""
            yield entry.name.removesuffix(suffix) if suffix else entry.name, entry


def _is_read(path: Path) -> bool:
    """Return whether Ansible would read a file; a dot in a host's name is no suffix."""
    name = path.name
    return not name.startswith(".") and not name.endswith(("~", ".bak", ".orig", ".swp"))
