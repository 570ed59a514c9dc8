"""Drafts of servers from an Ansible inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from guardia.board.cmdb.changes import Draft
from guardia.board.cmdb.imports.columns import KIND_WORDS, header_form, read_list
from guardia.board.cmdb.imports.inventory_model import TOP, AnsibleInventory
from guardia.i18n import t
from guardia.text import matching_form

_PASSWORDS = (
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
)
_BASTION_HINTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
_MAX_NOTES = 20


@dataclass(frozen=True, slots=True)
class InventoryDefaults:
    """What the inventory itself does not say."""

    institution: str = ""
    kind: str = ""
    institutions: Mapping[str, str] = field(default_factory=dict)
    """Ids of institutions by the words for them, in the form in which names are compared."""


class _Refused(Exception):
    """A host that cannot be taken."""

    def __init__(self, key: str, **values: object) -> None:
        self.key, self.values = key, values
        super().__init__(key)


def drafts_of_inventory(
    found: AnsibleInventory, defaults: InventoryDefaults
) -> tuple[list[Draft], list[str]]:
    """Return servers and institutions, and notes about what was left out."""
    circle = found.circle()
    if circle is not None:
        found.refuse(found.groups[circle].line, "circle", value=circle)
        return [], []
    drafts: list[Draft] = []
    institutions: dict[str, Draft] = {}
    left: dict[str, list[str]] = {}
    for host, groups in found.groups_of_hosts().items():
        line = found.lines[host]
        variables: dict[str, Any] = dict(found.everywhere)
        for name in groups:
            variables |= found.groups[name].variables
        variables |= found.hosts[host]
        try:
            values = _server(host, groups, variables, defaults)
        except _Refused as refused:
            found.refuse(line, refused.key, **refused.values)
            continue
        _note_left_out(host, variables, left)
        named = _text(variables, "guardia_institution_name")
        if named:
            home = values["institution"]
            given = {"id": home, "name": named}
            institutions.setdefault(home, Draft("institution", line, given))
        drafts.append(Draft("server", line, values))
    return [*institutions.values(), *drafts], _notes(left)


def _server(
    host: str, groups: Sequence[str], variables: Mapping[str, Any], defaults: InventoryDefaults
) -> dict[str, Any]:
    connection = _text(variables, "ansible_connection") or "ssh"
    if connection not in ("ssh", "smart", "paramiko", "paramiko_ssh"):
        raise _Refused("connection", value=connection[:40])
    home = _institution(groups, variables, defaults)
    found: dict[str, Any] = {
        "id": _text(variables, "guardia_id") or host,
        "institution": home,
        "kind": _kind(groups, variables, defaults),
        "address": _text(variables, "ansible_host", "ansible_ssh_host") or host,
        "groups": [g for g in groups if g not in TOP],
    }
    optional = {
        "port": _text(variables, "ansible_port", "ansible_ssh_port"),
        "account": _text(variables, "ansible_user", "ansible_ssh_user"),
        "credential": _credential(variables),
        "host_key": _text(variables, "guardia_host_key"),
        "aliases": read_list(_text(variables, "guardia_aliases")),
    }
    found |= {name: value for name, value in optional.items() if value}
    bastions = read_list(_text(variables, "guardia_bastions"))
    return found | ({"login": {"bastions": bastions}} if bastions else {})


def _credential(variables: Mapping[str, Any]) -> str:
    """Return the name of the key: only the file's name, the key itself is never read."""
    named = _text(variables, "guardia_credential")
    path = _text(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
    if named or not path:
        return named
    name = PurePosixPath(path).name
    return name.removesuffix(".pem").removesuffix(".key")


def _institution(
    groups: Sequence[str], variables: Mapping[str, Any], defaults: InventoryDefaults
) -> str:
    named = _text(variables, "guardia_institution")
    if named:
        return named
    by_group = [
        defaults.institutions[matching_form(g)]
        for g in groups
        if matching_form(g) in defaults.institutions
    ]
    found = by_group[-1] if by_group else defaults.institution
    if not found:
        raise _Refused("no_home")
    return found


def _kind(groups: Sequence[str], variables: Mapping[str, Any], defaults: InventoryDefaults) -> str:
    named = _text(variables, "guardia_kind")
    if named:
        return KIND_WORDS.get(header_form(named), named.upper())
    by_group = [KIND_WORDS[header_form(g)] for g in groups if header_form(g) in KIND_WORDS]
    found = by_group[-1] if by_group else defaults.kind.upper()
    if not found:
        raise _Refused("no_kind", groups=", ".join(g for g in groups if g not in TOP) or "-")
    return found


def _text(variables: Mapping[str, Any], *names: str) -> str:
    """Return the first of these variables as a text. Raises `_Refused` for a template."""
    for name in names:
        value = variables.get(name)
        if value is None or value == "":
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value).strip()
        if "{{" in text or "{%" in text:
            raise _Refused("template", field=name, value=text[:60])
        return text
    return ""


def _note_left_out(host: str, variables: Mapping[str, Any], left: dict[str, list[str]]) -> None:
    if any(name in variables for name in _PASSWORDS):
        left.setdefault("password", []).append(host)
    texts = (str(variables.get(name, "")) for name in _BASTION_HINTS)
    if any("proxy" in text.lower() or "-J" in text for text in texts):
        left.setdefault("proxy", []).append(host)


def _notes(left: Mapping[str, Iterable[str]]) -> list[str]:
    found = []
    for key, hosts in left.items():
        names = list(hosts)
        more = "" if len(names) <= _MAX_NOTES else f" … ({len(names)})"
        found.append(t(f"imports.note.{key}", hosts=", ".join(names[:_MAX_NOTES]) + more))
    return found
