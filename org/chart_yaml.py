"""A chart's text as YAML: its plain values, and its nodes with their positions in the text."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from guardia.errors import Misconfigured
from guardia.i18n import t

MAX_LENGTH = 4_000_000
"""Characters; a thousand agents need a tenth of this."""


def load(text: str, name: str = "org_chart.yaml") -> Any:
    """Return the plain values. Raises `Misconfigured` with line and column if it is not YAML."""
    return _parse(text, name, YAML(typ="safe").load)


def compose(text: str, name: str = "org_chart.yaml") -> Node:
    """Return the tree of nodes; every node has its start and end position."""
    found = _parse(text, name, YAML(typ="safe", pure=True).compose)
    if not isinstance(found, Node):
        raise Misconfigured(what=name, why=t("org.chart.empty"))
    return found


def load_with_nodes(text: str, name: str = "org_chart.yaml") -> tuple[Node, Any]:
    """Return nodes and plain values in one pass, for little more than the cost of one."""

    def both(stream: StringIO) -> Any:
        yaml = YAML(typ="safe", pure=True)
        constructor, _ = yaml.get_constructor_parser(stream)
        node = constructor.composer.get_single_node()
        return None if node is None else (node, constructor.construct_document(node))

    found = _parse(text, name, both)
    if found is None:
        raise Misconfigured(what=name, why=t("org.chart.empty"))
    node, data = found
    return node, data


def child(node: Node | None, key: str) -> Node | None:
    """Return the value of a mapping's key."""
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def list_items(node: Node | None) -> list[Node]:
    """Return the entries of a list."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def value_at(data: Any, path: Iterable[str | int]) -> Any:
    """Return the plain value at a path."""
    for step in path:
        data = data[step]
    return data


def locate(root: Node, path: Iterable[str | int], *, key: bool = False) -> Node:
    """Return the deepest node on a path; with `key`, the name of the field instead of its value.

    Steps that the text does not have (a short form, a default) are skipped.
    """
    node = root
    for step in path:
        pairs = node.value if isinstance(node, MappingNode) else []
        found = next(((name, value) for name, value in pairs if name.value == str(step)), None)
        if found is not None:
            root, node = found
        elif (entry := _entry(node, step)) is not None:
            root = node = entry
    return root if key else node


def _entry(node: Node, step: str | int) -> Node | None:
    """Return a list's entry by its number or its id."""
    for number, entry in enumerate(list_items(node)):
        if step in {number, getattr(child(entry, "id"), "value", None)}:
            return entry
    return None


def last_line(node: Node) -> int:
    """Return the line (from 0) on which the node's own text ends, without comments after it."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    # A block scalar ends where the next line begins.
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def last_index(node: Node) -> int:
    """Return the index in the text right after the node's own text."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_index(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _parse(text: str, name: str, read: Any) -> Any:
    if len(text) > MAX_LENGTH:
        raise Misconfigured(what=name, why=t("org.chart.too_long", limit=MAX_LENGTH))
    try:
        return read(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = t("org.chart.at", line=mark.line + 1, column=mark.column + 1) if mark else ""
        why = t("org.chart.not_yaml", problem=error.problem or error.context or "")
        raise Misconfigured(what=f"{name} {where}".strip(), why=why) from error
    except (YAMLError, RecursionError) as error:
        why = t("org.chart.not_yaml", problem=" ".join(str(error).split()))
        raise Misconfigured(what=name, why=why) from error
