"""Ansible inventories in INI form: groups, `:children`, `:vars`, hosts with variables."""

from __future__ import annotations

import ast
import re
import shlex
from typing import Any

from guardia.board.cmdb.imports.inventory_model import AnsibleInventory

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_COMMENTS = ("#", ";")


def read_ini(text: str) -> AnsibleInventory:
    """Return the inventory of an INI text; lines that cannot be read are noted."""
    found = AnsibleInventory()
    group, part = "ungrouped", "hosts"
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith(_COMMENTS):
            continue
        if line.startswith("["):
            section = _SECTION.fullmatch(line)
            if section is None or section[2] not in (None, "children", "vars"):
                found.refuse(number, "section_head", value=line[:60])
                part = "skipped"
                continue
            group, part = section[1], section[2] or "hosts"
            found.group(group, number)
        elif part == "vars":
            _read_variable(found, group, number, line)
        elif part == "children":
            name = line.split()[0]
            found.group(group, number).children.append(name)
            found.group(name, number)
        elif part == "hosts":
            _read_host(found, group, number, line)
    return found


def _read_variable(found: AnsibleInventory, group: str, number: int, line: str) -> None:
    match = _VARIABLE.fullmatch(line)
    if match is None:
        found.refuse(number, "variable", value=line[:60])
        return
    found.group(group, number).variables[match[1]] = _literal(match[2].strip())


def _read_host(found: AnsibleInventory, group: str, number: int, line: str) -> None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        found.refuse(number, "quotes", value=line[:60])
        return
    variables: dict[str, Any] = {}
    for word in words[1:]:
        match = _VARIABLE.fullmatch(word)
        if match is None:
            found.refuse(number, "variable", value=word[:60])
            return
        variables[match[1]] = _literal(match[2])
    name, port = split_port(words[0])
    if port is not None:
        variables.setdefault("ansible_port", port)
    found.add_hosts(group, name, number, variables)


def split_port(word: str) -> tuple[str, int | None]:
    """Return host and port of `host:2222`; colons of ranges and of IPv6 addresses stay."""
    plain = re.sub(r"\[[^\]]*\]", lambda m: "x" * len(m[0]), word)
    if plain.count(":") != 1:
        return word, None
    head, _, port = word.rpartition(":")
    return (head, int(port)) if head and port.isdecimal() else (word, None)


def _literal(text: str) -> Any:
    """Return a value as Ansible reads it: a Python literal, or the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, str | int | float | bool | list) else text
