"""One top-level section of a chart's text: read it, and replace it without touching the others."""

from __future__ import annotations

from textwrap import dedent, indent

from ruamel.yaml.nodes import MappingNode, Node

from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import chart_yaml


def section_text(text: str, key: str) -> str:
    """Return the lines of a section without its name and indentation; empty if it is missing."""
    found = _find(text, key)
    if found is None:
        return ""
    name, value = found
    lines = text.splitlines(keepends=True)
    if getattr(value, "flow_style", False) or value.start_mark.line == name.start_mark.line:
        return text[value.start_mark.index : chart_yaml.last_index(value)] + "\n"
    return dedent("".join(lines[name.start_mark.line + 1 : chart_yaml.last_line(value) + 1]))


def replace_section(text: str, key: str, new: str) -> str:
    """Return a chart with one section replaced. Raises `Invalid` if anything else would change."""
    block = f"{key}:\n{indent(dedent(new).strip(), '  ')}\n"
    found = _find(text, key)
    if found is None:
        result = f"{text.rstrip()}\n\n{block}"
    else:
        name, value = found
        lines = text.splitlines(keepends=True)
        before = "".join(lines[: name.start_mark.line])
        after = "".join(lines[chart_yaml.last_line(value) + 1 :])
        result = before + block + after
    before_data, after_data = chart_yaml.load(text), chart_yaml.load(result)
    others = [{k: v for k, v in data.items() if k != key} for data in (before_data, after_data)]
    if others[0] != others[1]:
        raise Invalid(what=key, why=t("org.chart.section"))
    return result


def _find(text: str, key: str) -> tuple[Node, Node] | None:
    root = chart_yaml.compose(text)
    pairs = root.value if isinstance(root, MappingNode) else []
    return next(((name, value) for name, value in pairs if name.value == key), None)
