"""JSON Schema of the chart for editors, and its description field by field.

Names, types and limits come from the models; texts for people from the catalogue `chart`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from guardia.i18n import t

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class ChartField:
    """One field of the chart, for the reference documentation."""

    name: str
    kind: str
    default: str | None
    """`None` if the field is required."""
    text: str


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema for editors, with descriptions in the reader's language."""
    found: dict[str, Any] = model.model_json_schema(by_alias=True)
    for name, definition in _definitions(model, found):
        definition["description"] = t(f"chart.{name}.about")
        for field, body in _properties(definition).items():
            body["description"] = t(f"chart.{name}.{field}")
    return {"$schema": _DIALECT, **found}


def sections(model: type[BaseModel]) -> Iterator[tuple[str, str, list[ChartField]]]:
    """Yield every kind of entry with its description and fields, the whole file first."""
    found: dict[str, Any] = model.model_json_schema(by_alias=True)
    for name, definition in _definitions(model, found):
        required = set(_long_form(definition).get("required", ()))
        yield (
            name,
            t(f"chart.{name}.about"),
            [
                ChartField(
                    field,
                    _type_name(body),
                    _default(field, body, required),
                    _description(name, field),
                )
                for field, body in _properties(definition).items()
            ],
        )


def field_names_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the fields that an entry at this path can have."""
    whole = _schema(model)
    node: dict[str, Any] = whole
    for step in path:
        if (chosen := _discriminated(node, step)) is not None:
            node = {"$ref": chosen}
            continue
        node = _long_form(_resolve(whole, node))
        if isinstance(step, int):
            node = node.get("items", node)
        else:
            node = node.get("properties", {}).get(step) or node.get("additionalProperties") or node
        if not isinstance(node, dict):
            return []
    return list(_long_form(_resolve(whole, node)).get("properties", {}))


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def _definitions(
    model: type[BaseModel], found: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield model.__name__, found
    yield from sorted(found.get("$defs", {}).items())


def _description(name: str, field: str) -> str:
    return t(f"chart.{name}.{field}")


def _resolve(whole: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the definition that a node refers to."""
    options = [node, *node.get("anyOf", ())]
    reference = next((o["$ref"] for o in options if "$ref" in o), None)
    if reference is None:
        return node
    found: dict[str, Any] = whole["$defs"][reference.rsplit("/", 1)[1]]
    return found


def _discriminated(node: dict[str, Any], step: str | int) -> str | None:
    """Return the definition of one kind of entry if there are several kinds."""
    for option in (node, *node.get("anyOf", ())):
        found: str | None = option.get("discriminator", {}).get("mapping", {}).get(step)
        if found is not None:
            return found
    return None


def _long_form(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the long form of an entry that also has a short form."""
    options = [definition, *definition.get("anyOf", ())]
    return next((o for o in options if "properties" in o), definition)


def _properties(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _long_form(definition).get("properties", {})
    return found


def _default(field: str, body: dict[str, Any], required: set[str]) -> str | None:
    if field in required:
        return None
    default = body.get("default")
    return "-" if default in (None, "") or isinstance(default, list | dict) else str(default)


def _type_name(body: dict[str, Any]) -> str:
    """Return a type in one or two words."""
    inner = body.get("additionalProperties")
    several = body.get("anyOf") or body.get("oneOf")
    if several:
        return " | ".join(_type_name(o) for o in several if o.get("type") != "null")
    if "enum" in body:
        return " | ".join(str(value) for value in body["enum"])
    if body.get("type") == "array":
        return f"[{_type_name(body.get('items', {}))}]"
    if isinstance(inner, dict):
        return f"{{…: {_type_name(inner)}}}"
    name = str(body.get("$ref", "")).rsplit("/", 1)[-1]
    return name or str(body.get("const") or body.get("type", "any"))
