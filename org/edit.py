"""Changes to a chart's text that leave every other line of it as it was written.

Text is cut and inserted at the places that the YAML reader names; then the result is read again
and must mean exactly what was wanted. Anything else is refused, so a chart is never spoiled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import chart, source


@dataclass(frozen=True, slots=True)
class _Splice:
    """Put ``text`` in the place of the characters from ``start`` until ``end``."""

    start: int
    end: int
    text: str = ""


def hire(text: str, entry: Mapping[str, Any]) -> str:
    """The chart with one more agent, the last of its list; ``Invalid`` where its id is taken."""
    new = _plain(entry)
    if _position(text, new.get("id")) is not None:
        raise Invalid(what=str(new.get("id")), why=t("org.edit.taken"))

    def meaning(data: Any) -> None:
        data["agents"].append(new)

    return _changed(text, meaning, [_hiring(text, new)])


def fire(text: str, agent_id: str) -> str:
    """The chart without an agent; those who report to it report to its superior.

    Comments above and below the agent's lines stay. ``Invalid`` for the only dispatcher.
    """
    position = _known(text, agent_id)
    agents = source.load(text)["agents"]
    superior = agents[position].get("reports_to")
    if agents[position].get("duty") == "dispatch":
        raise Invalid(what=agent_id, why=t("org.edit.dispatcher"))
    below = [n for n, a in enumerate(agents) if a.get("reports_to") == agent_id]

    def meaning(data: Any) -> None:
        for number in below:
            data["agents"][number]["reports_to"] = superior
        del data["agents"][position]

    nodes = _agents(text)
    splices = [_valued(nodes[n], ("reports_to",), superior, text) for n in below if n != position]
    return _changed(text, meaning, [_firing(text, position), *splices])


def set_field(text: str, agent_id: str, path: str, value: Any) -> str:
    """The chart with one field of an agent set; ``path`` as in ``heartbeat.every``."""
    position, steps, wanted = _known(text, agent_id), tuple(path.split(".")), _plain(value)

    def meaning(data: Any) -> None:
        inner = data["agents"][position]
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
        inner[steps[-1]] = wanted

    return _changed(text, meaning, [_valued(_agents(text)[position], steps, wanted, text)])


def _changed(text: str, meaning: Callable[[Any], None], splices: Iterable[_Splice]) -> str:
    """The spliced text, only if it is a good chart and means what was wanted."""
    result = text
    for splice in sorted(splices, key=lambda s: s.start, reverse=True):
        result = result[: splice.start] + splice.text + result[splice.end :]
    wanted = source.load(text)
    meaning(wanted)
    chart.parse(result)
    if source.load(result) != wanted:
        raise _unusual()
    return result


def _unusual() -> Invalid:
    return Invalid(what="org_chart.yaml", why=t("org.edit.unusual"))


def _agents(text: str) -> list[Node]:
    """The nodes of the agents; ``Invalid`` where they are not written one below the other."""
    chart.parse(text)
    node = source.child(source.compose(text), "agents")
    found = source.items(node)
    if node is None or getattr(node, "flow_style", False) or not found:
        raise _unusual()
    return found


def _position(text: str, agent_id: Any) -> int | None:
    ids = [agent.id for agent in chart.parse(text).agents]
    return ids.index(agent_id) if agent_id in ids else None


def _known(text: str, agent_id: str) -> int:
    position = _position(text, agent_id)
    if position is None:
        raise NotFound(what=agent_id)
    return position


# --- lines --------------------------------------------------------------------------------------


def _hiring(text: str, entry: dict[str, Any]) -> _Splice:
    nodes, lines = _agents(text), _Lines(text)
    last = nodes[-1]
    margin, dash = last.start_mark.column, lines.dash(last)
    body = [f"{key}: {_flow(value)}" for key, value in entry.items()]
    block = [" " * margin + line for line in body]
    block[0] = " " * dash + "-" + block[0][dash + 1 :]
    if len(nodes) == 1 or lines.blank(lines.first(last) - 1):
        block.insert(0, "")
    return lines.insertion(lines.last(last), block)


def _firing(text: str, position: int) -> _Splice:
    node, lines = _agents(text)[position], _Lines(text)
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
            # The reader would count more lines than we do.
            raise _unusual()

    def blank(self, number: int) -> bool:
        return 0 <= number < len(self.all) and not self.all[number].strip()

    def dash(self, node: Node) -> int:
        """The column of a list entry's dash."""
        line = self.all[self.first(node)]
        return len(line) - len(line.lstrip())

    def first(self, node: Node) -> int:
        """The line of a list entry's dash."""
        number = int(node.start_mark.line)
        while number > 0 and not self.all[number].lstrip().startswith("-"):
            number -= 1
        return number

    def last(self, node: Node) -> int:
        """The last line of a list entry, with the comments that are written inside of it."""
        dash, last = self.dash(node), source.last_line(node)
        for number in range(last + 1, len(self.all)):
            line = self.all[number]
            inside = line.lstrip().startswith("#") and len(line) - len(line.lstrip()) > dash
            if inside:
                last = number
            elif line.strip():
                break
        return last

    def insertion(self, after: int, new: list[str]) -> _Splice:
        """Lines that come right after another."""
        at = self._end(after)
        return _Splice(at, at, "".join(self.eol + line for line in new))

    def removal(self, first: int, last: int) -> _Splice:
        """Without these lines."""
        return _Splice(self._end(first - 1), self._end(last))

    def _end(self, number: int) -> int:
        """Where a line ends, before its line break."""
        return sum(len(line) + len(self.eol) for line in self.all[: number + 1]) - len(self.eol)


# --- values -------------------------------------------------------------------------------------


def _valued(agent: Node, path: tuple[str, ...], value: Any, text: str) -> _Splice:
    """Set what lies at ``path`` under an agent, making what is missing on the way."""
    node, rest = agent, path
    while rest and (inner := source.child(node, rest[0])) is not None:
        node, rest = inner, rest[1:]
    if not rest:
        return _Splice(node.start_mark.index, source.last_index(node), _like(node, value))
    for step in reversed(rest[1:]):
        value = {step: value}
    return _added(node, f"{rest[0]}: {_flow(value)}", text)


def _added(mapping: Node, line: str, text: str) -> _Splice:
    if not isinstance(mapping, MappingNode):
        raise _unusual()
    if mapping.flow_style:
        at = mapping.end_mark.index - 1
        return _Splice(at, at, f", {line}" if mapping.value else line)
    lines = _Lines(text)
    return lines.insertion(source.last_line(mapping), [" " * mapping.start_mark.column + line])


def _like(node: Node, value: Any) -> str:
    """A value as YAML, quoted as the one in whose place it comes."""
    if isinstance(node, ScalarNode) and isinstance(value, str) and value.isprintable():
        if node.style == '"':
            return json.dumps(value, ensure_ascii=False)
        if node.style == "'":
            return "'" + value.replace("'", "''") + "'"
    return _flow(value)


def _flow(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width = True, source.MAX_LENGTH
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = StringIO()
    # As a pair, so that a scalar is quoted as it must be inside of another value too.
    writer.dump({"v": value}, out)
    return out.getvalue().strip().removeprefix("{v: ").removesuffix("}")


def _plain(value: Any) -> Any:
    """Values as YAML has them, whatever mapping or list they came in."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
