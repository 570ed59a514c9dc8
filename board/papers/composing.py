"""Compose a paper from its template and the facts of an issue or a month. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guardia.board.papers.paper import (
    Paper,
    PaperColumn,
    PaperFacts,
    PaperField,
    PaperSection,
    PaperTable,
    Value,
)
from guardia.board.papers.template import (
    PaperTemplate,
    TemplateCell,
    TemplateSection,
    TemplateTable,
)
from guardia.i18n import t
from guardia.text import mask_secrets

MOST_ROWS = 2000
_LONGEST = 20_000
"""Characters of one field; a paper that is printed needs no more."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def compose(template: PaperTemplate, facts: PaperFacts) -> Paper:
    """Return the paper. What is not known stays empty, what may not be seen is left out."""
    return Paper(
        title=template.title,
        subject=facts.subject,
        approvals=template.approvals,
        sections=tuple(_sections(template, facts)),
        note=template.note,
    )


def _sections(template: PaperTemplate, facts: PaperFacts) -> Iterator[PaperSection]:
    for section in template.sections:
        fields = tuple(_fields(section, facts))
        table = _table(section.table, facts) if section.table else None
        if fields or table is not None:
            yield PaperSection(section.title, fields, table)


def _fields(section: TemplateSection, facts: PaperFacts) -> Iterator[PaperField]:
    for one in section.fields:
        if one.fact not in facts.hidden:
            value = facts.values.get(one.fact) if one.fact else one.text
            yield PaperField(one.label, _shown(value), one.wide)


def _table(table: TemplateTable, facts: PaperFacts) -> PaperTable | None:
    if table.of in facts.hidden:
        return None
    known = facts.lists.get(table.of, []) if table.of else []
    rows: list[tuple[Value, ...]] = [
        tuple(_shown(entry.get(column.fact)) for column in table.columns)
        for entry in known[:MOST_ROWS]
    ]
    if len(known) > MOST_ROWS:
        rows.append(_padded([t("papers.more", most=f"{MOST_ROWS:,}")], table))
    rows += [_padded([_cell(one, facts) for one in item], table) for item in table.items]
    rows += [_padded([], table)] * (table.blank - len(rows))
    columns = tuple(PaperColumn(one.label, one.width, one.align) for one in table.columns)
    return PaperTable(columns, tuple(rows))


def _cell(cell: str | TemplateCell, facts: PaperFacts) -> Value:
    return _shown(facts.values.get(cell.fact)) if isinstance(cell, TemplateCell) else cell or None


def _padded(cells: list[Any], table: TemplateTable) -> tuple[Value, ...]:
    return (*cells, *[None] * (len(table.columns) - len(cells)))


def _shown(value: Value) -> Value:
    """Return a value without secrets and characters that no file may contain."""
    if not isinstance(value, str):
        return value
    text = mask_secrets(_CONTROL.sub("", value)).strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
