"""The chart's documentation, generated field by field from the models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guardia.i18n import LANGUAGES, catalogue, language
from guardia.org import chart_model, chart_schema

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "org-chart.md"
BEGIN, END = "<!-- fields: generated -->\n", "\n<!-- end -->"


def table() -> str:
    """Return the fields as docs/org-chart.md shows them."""
    token = language.set("en")
    lines: list[str] = []
    try:
        for name, about, fields in chart_schema.sections(chart_model.OrgChart):
            lines += ["", f"### `{name}`", "", about, "", "| field | type | default | meaning |"]
            lines.append("|---|---|---|---|")
            for field in fields:
                kind = field.kind.replace("|", "\\|")
                default = "required" if field.default is None else f"`{field.default}`"
                text = field.text.replace("|", "\\|")
                lines.append(f"| `{field.name}` | {kind} | {default} | {text} |")
    finally:
        language.reset(token)
    return "\n".join(lines[1:])


def test_the_document_shows_every_field() -> None:
    """`UPDATE_DOCS=1` rewrites it."""
    before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
    shown, after = rest.split(END, 1)
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(before + BEGIN + table() + END + after, "utf-8")
    else:
        assert shown == table()


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_field_has_a_description_and_every_description_a_field(code: str) -> None:
    """Add new fields to `locale/{ko,en}/chart.toml` under the name of their model."""
    token = language.set(code)
    try:
        known = {
            name: {"about", *(f.name for f in fields)}
            for name, _, fields in chart_schema.sections(chart_model.OrgChart)
        }
    finally:
        language.reset(token)
    assert {name: set(texts) for name, texts in catalogue(code, "chart").items()} == known
