"""Edits of a chart's text that keep every other line as it was written.

Text is cut and inserted at the positions that the YAML parser reports; then the result is parsed
again and must mean exactly what was intended. Anything else is refused, so an edit never corrupts a
chart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import chart, chart_yaml


@dataclass(frozen=True, slots=True)
class _Splice:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str = ""


class _ParsedChart:
    """A valid chart's text with its plain values and the nodes of its agents."""

    def __init__(self, text: str) -> None:
        self.text = text
        root, self.data = chart_yaml.load_with_nodes(text)
        chart.validate(self.data, text)
        node = chart_yaml.child(root, "agents")
        self.agents = chart_yaml.list_items(node)
        if node is None or getattr(node, "flow_style", False) or not self.agents:
            raise _unsupported_layout()

    def position(self, agent_id: Any) -> int | None:
        ids = [agent["id"] for agent in self.data["agents"]]
        return ids.index(agent_id) if agent_id in ids else None

    def require_position(self, agent_id: str) -> int:
        found = self.position(agent_id)
        if found is None:
            raise NotFound(what=agent_id)
        return found

    def apply_splices(self, expected: Any, splices: Iterable[_Splice]) -> str:
        """Return the edited text. Raises `Invalid` unless it has the expected values."""
        result = self.text
        for splice in sorted(splices, key=lambda s: s.start, reverse=True):
            result = result[: splice.start] + splice.text + result[splice.end :]
        data = chart_yaml.load(result)
        chart.validate(data, result)
        if data != expected:
            raise _unsupported_layout()
        return result


def hire(text: str, entry: Mapping[str, Any]) -> str:
    """Return the chart with one more agent, the last. Raises `Invalid` if its id is taken."""
    new, found = _plain(entry), _ParsedChart(text)
    if found.position(new.get("id")) is not None:
        raise Invalid(what=str(new.get("id")), why=t("org.edit.taken"))
    expected = {**found.data, "agents": [*found.data["agents"], new]}
    return found.apply_splices(expected, [_hire_splice(found, new)])


def fire(text: str, agent_id: str) -> str:
    """Return the chart without an agent; its reports move to its superior.

    Comments above and below the agent's lines stay. Raises `Invalid` for the only dispatcher.
    """
    found = _ParsedChart(text)
    position = found.require_position(agent_id)
    agents = found.data["agents"]
    superior = agents[position].get("reports_to")
    if agents[position].get("duty") == "dispatch":
        raise Invalid(what=agent_id, why=t("org.edit.dispatcher"))
    below = [n for n, a in enumerate(agents) if a.get("reports_to") == agent_id]
    staying = [
        {**agent, "reports_to": superior} if number in below else agent
        for number, agent in enumerate(agents)
        if number != position
    ]
    splices = [
        _value_splice(found.agents[n], ("reports_to",), superior, text)
        for n in below
        if n != position
    ]
    splices.append(_fire_splice(found, position))
    return found.apply_splices({**found.data, "agents": staying}, splices)


def set_field(text: str, agent_id: str, path: str, value: Any) -> str:
    """Return the chart with one field of an agent set; `path` as in `heartbeat.every`."""
    found, steps, new = _ParsedChart(text), tuple(path.split(".")), _plain(value)
    position = found.require_position(agent_id)
    splice = _value_splice(found.agents[position], steps, new, text)
    inner = found.data["agents"][position]
    for step in steps[:-1]:
        inner = inner.setdefault(step, {})
    inner[steps[-1]] = new
    return found.apply_splices(found.data, [splice])


def _unsupported_layout() -> Invalid:
    return Invalid(what="org_chart.yaml", why=t("org.edit.unusual"))


# --- lines --------------------------------------------------------------------------------------


def _hire_splice(found: _ParsedChart, entry: dict[str, Any]) -> _Splice:
    nodes, lines = found.agents, _Lines(found.text)
    last = nodes[-1]
    margin, dash = last.start_mark.column, lines.dash(last)
    body = [f"{key}: {_flow_yaml(value)}" for key, value in entry.items()]
    block = [" " * margin + line for line in body]
    block[0] = " " * dash + "-" + block[0][dash + 1 :]
    if len(nodes) == 1 or lines.blank(lines.first(last) - 1):
        block.insert(0, "")
    return lines.insertion(lines.last(last), block)


def _fire_splice(found: _ParsedChart, position: int) -> _Splice:
    node, lines = found.agents[position], _Lines(found.text)
    first, last = lines.first(node), lines.last(node)
    if lines.blank(first - 1):
        first -= 1
    elif position == 0 and lines.blank(last + 1):
        last += 1
    return lines.removal(first, last)


class _Lines:
    """A text's lines, numbered from 0."""

    def __init__(self, text: str) -> None:
        self.eol = "\r\n" if "\r\n" in text else "\n"
        self.all = text.split(self.eol)
        if any(len(line.splitlines()) > 1 for line in self.all):
            # The YAML parser would count more lines than we do.
            raise _unsupported_layout()

    def blank(self, number: int) -> bool:
        return 0 <= number < len(self.all) and not self.all[number].strip()

    def dash(self, node: Node) -> int:
        """Return the column of a list entry's dash."""
        line = self.all[self.first(node)]
        return len(line) - len(line.lstrip())

    def first(self, node: Node) -> int:
        """Return the line of a list entry's dash."""
        number = int(node.start_mark.line)
        while number > 0 and not self.all[number].lstrip().startswith("-"):
            number -= 1
        return number

    def last(self, node: Node) -> int:
        """Return the last line of a list entry, including the comments inside it."""
        dash, last = self.dash(node), chart_yaml.last_line(node)
        for number in range(last + 1, len(self.all)):
            line = self.all[number]
            inside = line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > dash
            if inside:
                last = number
            elif line.strip():
                break
        return last

    def insertion(self, after: int, new: list[str]) -> _Splice:
        """Return a splice that inserts lines right after line `after`."""
        at = self._end(after)
        return _Splice(at, at, "".join(self.eol + line for line in new))

    def removal(self, first: int, last: int) -> _Splice:
        """Return a splice that removes these lines."""
        return _Splice(self._end(first - 1), self._end(last))

    def _end(self, number: int) -> int:
        """Return the index of a line's end, before its line break."""
        return sum(len(line) + len(self.eol) for line in self.all[: number + 1]) - len(self.eol)


# --- values -------------------------------------------------------------------------------------


def _value_splice(agent: Node, path: tuple[str, ...], value: Any, text: str) -> _Splice:
    """Return a splice that sets the value at `path` of an agent, creating missing parents."""
    node, rest = agent, path
    while rest and (inner := chart_yaml.child(node, rest[0])) is not None:
        node, rest = inner, rest[1:]
    if not rest:
        return _Splice(
            node.start_mark.index, chart_yaml.last_index(node), _quoted_like(node, value)
        )
    for step in reversed(rest[1:]):
        value = {step: value}
    return _insertion_splice(node, f"{rest[0]}: {_flow_yaml(value)}", text)


def _insertion_splice(mapping: Node, line: str, text: str) -> _Splice:
    if not isinstance(mapping, MappingNode):
        raise _unsupported_layout()
    if mapping.flow_style:
        at = mapping.end_mark.index - 1
        return _Splice(at, at, f", {line}" if mapping.value else line)
    lines = _Lines(text)
    return lines.insertion(chart_yaml.last_line(mapping), [" " * mapping.start_mark.column + line])


def _quoted_like(node: Node, value: Any) -> str:
    """Return a value as YAML, quoted like the value that it replaces."""
    if isinstance(node, ScalarNode) and isinstance(value, str) and value.isprintable():
        if node.style == '"':
            return json.dumps(value, ensure_ascii=False)
        if node.style == "'":
            return "'" + value.replace("'", "''") + "'"
    return _flow_yaml(value)


def _flow_yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width = True, chart_yaml.MAX_LENGTH
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = StringIO()
    # As a pair, so that a scalar is quoted as it must be inside another value.
    writer.dump({"v": value}, out)
    return out.getvalue().strip().removeprefix("{v: ").removesuffix("}")


def _plain(value: Any) -> Any:
    """Convert any mappings and sequences to the plain dicts and lists that YAML has."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
