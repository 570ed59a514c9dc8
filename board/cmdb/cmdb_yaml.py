"""The CMDB as YAML: every entry with its line, and the text of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from guardia.board.cmdb.changes import BadLine, Draft, bad_line
from guardia.board.cmdb.records import KINDS
from guardia.errors import Invalid
from guardia.i18n import t

_MAX_DEPTH = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "str", "int", "float", "bool", "timestamp", "merge", "value")
)
"""Tags of plain values; all others would make something of a text."""
SECTIONS = {
    "institutions": "institution",
    "servers": "server",
    "teams": "team",
    "skills": "skill",
    "owners": "owner",
    "duties": "duty",
    "duty_exceptions": "duty_exception",
}
"""The kind of each list of the file."""


class _Bad(Exception):
    """A part of the text that cannot be used."""

    def __init__(self, node: Node, key: str, **values: object) -> None:
        self.line = bad_line(node.start_mark.line + 1, key, **values)
        super().__init__(str(self.line))


def export(entries: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
    """Return all entries as YAML, in a fixed order."""
    found = {
        section: [_in_order(kind, entries[kind][key]) for key in sorted(entries[kind])]
        for section, kind in SECTIONS.items()
    }
    body = yaml.dump(
        {section: rows for section, rows in found.items() if rows},
        Dumper=_DUMPER,
        allow_unicode=True,
        sort_keys=False,
        width=1000,
    )
    return f"# {t('imports.yaml_head')}\n{body if body.strip() != '{}' else ''}"


def _in_order(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values in the order of the fields."""
    return {name: values[name] for name in KINDS[kind].model_fields if name in values}


def read(text: str, name: str) -> tuple[list[Draft], frozenset[str], list[BadLine]]:
    """Return the entries of a file, the kinds that it lists, and the lines that cannot be used.

    Raises `Invalid` with the line if the text is not YAML.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        raise Invalid(what=name, why=_why(error)) from None
    if root is None:
        return [], frozenset(), []
    problems: list[BadLine] = []
    drafts = list(_drafts(root, problems))
    listed = _listed(root)
    return drafts, listed, problems


def _why(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "")
    line = mark.line + 1 if mark is not None else 1
    return t("imports.not_yaml", line=line, problem=problem[:200])


def _listed(root: Node) -> frozenset[str]:
    pairs = root.value if isinstance(root, MappingNode) else []
    return frozenset(SECTIONS[key.value] for key, _ in pairs if key.value in SECTIONS)


def _drafts(root: Node, problems: list[BadLine]) -> Iterator[Draft]:
    if not isinstance(root, MappingNode):
        problems.append(bad_line(root.start_mark.line + 1, "sections", known=", ".join(SECTIONS)))
        return
    seen: set[int] = set()
    for key, section in root.value:
        if not isinstance(key.value, str) or key.value not in SECTIONS:
            words = {"value": str(key.value)[:40], "known": ", ".join(SECTIONS)}
            problems.append(bad_line(key.start_mark.line + 1, "section", **words))
            continue
        yield from _entries(SECTIONS[key.value], section, seen, problems)


def _entries(kind: str, section: Node, seen: set[int], problems: list[BadLine]) -> Iterator[Draft]:
    if isinstance(section, ScalarNode) and section.tag.endswith(":null"):
        return
    if not isinstance(section, SequenceNode):
        problems.append(bad_line(section.start_mark.line + 1, "not_a_list"))
        return
    for node in section.value:
        try:
            values = _value(node, seen, 0)
            if not isinstance(values, dict):
                raise _Bad(node, "not_an_entry")
        except _Bad as bad:
            problems.append(bad.line)
            continue
        yield Draft(kind, node.start_mark.line + 1, values, whole=True)


def _value(node: Node, seen: set[int], depth: int) -> Any:
    """Return the plain value of a node: texts stay texts, numbers too."""
    if isinstance(node, ScalarNode):
        if node.tag.endswith(":null") and node.style is None:
            return None
        if node.tag not in _TAGS:
            raise _Bad(node, "tag", value=node.tag[:40])
        return node.value
    # A node that is met twice is an alias: a few of them can mean billions of entries.
    if id(node) in seen or depth > _MAX_DEPTH:
        raise _Bad(node, "alias")
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        return [_value(child, seen, depth + 1) for child in node.value]
    found: dict[str, Any] = {}
    for key, child in node.value:
        if not isinstance(key, ScalarNode):
            raise _Bad(key, "not_a_name")
        if key.value in found:
            raise _Bad(key, "field_twice", value=key.value[:40])
        value = _value(child, seen, depth + 1)
        if value is not None:
            found[key.value] = value
    return found
