"""The catalogue as people read it: on the page, on the command line, and in docs/tools.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from guardia.board.core.labels import label
from guardia.board.core.plan import Risk
from guardia.board.core.planner import ToolEntry
from guardia.i18n import catalogue, language, t
from guardia.tools import enabled
from guardia.tools.catalog import CATALOG
from guardia.tools.tool import Tool

_TYPES = {"integer": "number", "number": "number", "boolean": "flag"}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a tool and what it may be."""

    name: str
    kind: str
    """Type with its range, or the choices."""
    required: bool


def entries(place: Callable[[str], str] | None = None) -> tuple[ToolEntry, ...]:
    """Return every tool, in the order of the catalogue."""
    return tuple(entry(tool, place) for tool in CATALOG.values())


def entry(tool: Tool[Any], place: Callable[[str], str] | None = None) -> ToolEntry:
    """Describe one tool in the reader's language; `place` writes what an argument's place shows."""
    place = place or _named_place
    is_read = tool.risk is Risk.READ
    return ToolEntry(
        name=tool.name,
        family=tool.name.partition(".")[0],
        risk=tool.risk.name,
        title=t(f"tools.{tool.name}.title"),
        effect=_text(tool, "effect", place),
        impact="" if is_read else _text(tool, "impact", place),
        checks=() if is_read else _sentences(tool, place),
        undo=tool.undo is not None,
        irreversible=t(tool.irreversible) if tool.irreversible else "",
        kinds=tool.kinds,
        platforms=tool.platforms,
        requires=tool.requires,
        tried_on=tool.tried_on,
        manual=tool.manual,
        off=not enabled.is_enabled(tool),
    )


def arguments(tool: Tool[Any]) -> Iterator[Argument]:
    """Yield the arguments of a tool, without those that are made up for each plan."""
    schema = tool.args.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        if name not in tool.args.generated:
            yield Argument(name, _kind(field), name in schema.get("required", ()))


def _kind(field: dict[str, Any]) -> str:
    options = [f for f in field.get("anyOf", [field]) if f.get("type") != "null"]
    facts = options[0]
    if "enum" in facts:
        return " | ".join(map(str, facts["enum"]))
    words = [t(f"catalog.values.{_TYPES.get(str(facts.get('type')), 'text')}")]
    low = facts.get("minimum", facts.get("exclusiveMinimum"))
    high = facts.get("maximum", facts.get("exclusiveMaximum"))
    if low is not None or high is not None:
        words.append(f"{low}..{high}")
    return " ".join(words)


def _sentences(tool: Tool[Any], place: Callable[[str], str]) -> tuple[str, ...]:
    """Return the sentences of a tool's checks: texts of its own, or those that it shares."""
    family, _, verb = tool.name.partition(".")
    keys = catalogue(language.get(), "tools")[family][verb]
    found: list[str] = []
    for phase, checks in (("precheck", tool.precheck), ("verify", tool.verify)):
        own = [_text(tool, key, place) for key in keys if key.startswith(phase)]
        if not own and tool.risk is not Risk.READ:
            args = tool.args.model_construct(**_places(tool, place))
            own = [check.sentence for check in checks(args) if check.sentence]
        found += own
    return tuple(dict.fromkeys(found))


def _named_place(name: str) -> str:
    """Return the place of an argument in a sentence for people."""
    return f"[{label('web.field', name)}]"


def _text(tool: Tool[Any], key: str, place: Callable[[str], str]) -> str:
    """Return a text of a tool with the places of its arguments."""
    found = t(f"tools.{tool.name}.{key}", **_places(tool, place))
    # What a tool computes for a plan has no value here either.
    return re.sub(r"\{(\w+)\}", lambda match: place(match[1]), found)


def _places(tool: Tool[Any], place: Callable[[str], str]) -> dict[str, str]:
    return {name: place(name) for name in (*tool.args.model_fields, "server")}


def markdown() -> str:
    """Return the reference in English, as docs/tools.md shows it."""
    token = language.set("en")
    try:
        return "\n".join(_lines())
    finally:
        language.reset(token)


def _lines() -> Iterator[str]:
    found = entries("<{}>".format)
    changes = sum(one.risk != Risk.READ.name for one in found)
    yield f"{len(found)} tools, {changes} of them changes."
    family = ""
    for one in found:
        if one.family != family:
            family = one.family
            yield f"\n## `{family}`\n"
        yield f"### `{one.name}`: {one.title}\n"
        yield from _facts(one)
        yield ""


def _facts(one: ToolEntry) -> Iterator[str]:
    yield one.effect + "\n"
    yield f"- **{one.risk}**"
    for arg in arguments(CATALOG[one.name]):
        optional = "" if arg.required else ", optional"
        yield f"- `{arg.name}`: `{arg.kind}`{optional}"
    if one.impact:
        yield f"- users notice: {one.impact}"
    for check in one.checks:
        yield f"- check: {check}"
    if one.irreversible:
        yield f"- no undo: {one.irreversible}"
    elif one.undo:
        yield "- can be undone"
    on = {"services": one.kinds, "platforms": one.platforms, "needs": one.requires}
    for name, values in on.items():
        if values:
            yield f"- {name}: {', '.join(f'`{value}`' for value in values)}"
    if one.tried_on:
        yield f"- tried on: {', '.join(one.tried_on)}"
    if one.manual:
        yield f"- written by the manual: {one.manual}"
