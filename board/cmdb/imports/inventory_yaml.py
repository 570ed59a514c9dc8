"""Ansible inventories in YAML form."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from guardia.board.cmdb.imports.inventory_ini import split_port
from guardia.board.cmdb.imports.inventory_model import AnsibleInventory
from guardia.errors import Invalid
from guardia.i18n import t

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 60
_PARTS = ("hosts", "children", "vars")


def read_yaml(text: str, name: str) -> AnsibleInventory:
    """Return the inventory of a YAML text. Raises `Invalid` with the line if it is none."""
    root = _compose(text, name)
    found = AnsibleInventory()
    if root is None:
        return found
    if not isinstance(root, MappingNode):
        raise Invalid(what=name, why=t("imports.not_inventory"))
    pairs = _pairs(root)
    if "plugin" in pairs:
        raise Invalid(what=name, why=t("imports.plugin"))
    seen: set[int] = set()
    for group, node in pairs.items():
        _read_group(found, group, node, seen, 0)
    return found


def read_variables(text: str, name: str) -> dict[str, Any]:
    """Return the variables of a file below `group_vars` or `host_vars`. Raises `Invalid`."""
    root = _compose(text, name)
    return _variables(root) if root is not None else {}


def _compose(text: str, name: str) -> Node | None:
    try:
        found: Node | None = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or "")[:200]
        line = mark.line + 1 if mark is not None else 1
        raise Invalid(what=name, why=t("imports.not_yaml", line=line, problem=problem)) from None
    return found


def _pairs(node: Node) -> dict[str, Node]:
    """Return the values of a mapping by key; merge keys are taken in."""
    found: dict[str, Node] = {}
    if not isinstance(node, MappingNode):
        return found
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            found[key.value] = value
    return found


def _read_group(found: AnsibleInventory, name: str, node: Node, seen: set[int], depth: int) -> None:
    line = node.start_mark.line + 1
    group = found.group(name, line)
    if isinstance(node, ScalarNode) and not node.value:
        return
    if not isinstance(node, MappingNode) or id(node) in seen or depth > _MAX_DEPTH:
        found.refuse(line, "group_body", value=name[:60])
        return
    seen.add(id(node))
    for part, value in _pairs(node).items():
        if part == "hosts":
            _read_hosts(found, name, value)
        elif part == "children":
            for child, body in _pairs(value).items():
                group.children.append(child)
                _read_group(found, child, body, seen, depth + 1)
        elif part == "vars":
            group.variables.update(_variables(value))
        else:
            words = {"value": part[:60], "known": ", ".join(_PARTS)}
            found.refuse(value.start_mark.line + 1, "group_part", **words)


def _read_hosts(found: AnsibleInventory, group: str, node: Node) -> None:
    if isinstance(node, ScalarNode) and not node.value:
        return
    if not isinstance(node, MappingNode):
        found.refuse(node.start_mark.line + 1, "hosts_body", value=group[:60])
        return
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            found.refuse(line, "hosts_body", value=group[:60])
            continue
        name, port = split_port(key.value)
        variables = _variables(value)
        if port is not None:
            variables.setdefault("ansible_port", port)
        found.add_hosts(group, name, line, variables)


def _variables(node: Node) -> dict[str, Any]:
    """Return variables as texts and lists of texts; what is deeper is not needed."""
    return {key: _plain(value) for key, value in _pairs(node).items()}


def _plain(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        # An encrypted value (`!vault`) is a secret that is never read.
        return node.value if node.tag.startswith("tag:yaml.org,2002:") else None
    if isinstance(node, SequenceNode):
        return [n.value for n in node.value if isinstance(n, ScalarNode)]
    return None
