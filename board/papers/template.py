"""The template of a paper as data: sections with fields and tables, validated. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from guardia.board.papers.paper import KINDS, Alignment, PaperKind
from guardia.board.papers.vocabulary import LISTS, VALUES
from guardia.errors import Invalid, NotFound
from guardia.i18n import t
from guardia.org import chart_yaml, yaml_problems
from guardia.text import CleanStr

SHIPPED = Path(__file__).with_name("shipped")
Label = Annotated[CleanStr, StringConstraints(min_length=1, max_length=100)]
Text = Annotated[CleanStr, StringConstraints(max_length=1000)]
FactName = Annotated[CleanStr, StringConstraints(max_length=40)]
_MOST_BLANK = 50


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TemplateField(_Entry):
    """A field; without a fact and a text it is empty, to be filled in by hand."""

    label: Label
    fact: FactName = ""
    text: Text = ""
    wide: bool = False

    @model_validator(mode="after")
    def _has_one_source(self) -> TemplateField:
        if self.fact and self.text:
            raise ValueError(t("papers.wrong.source"))
        return self


class TemplateColumn(_Entry):
    """A column; without a fact its cells are empty, to be filled in by hand."""

    label: Label
    fact: FactName = ""
    width: int = Field(default=10, ge=1, le=100)
    align: Alignment = "left"


class TemplateCell(_Entry):
    """A cell of a fixed row that shows a fact; empty as long as it is not known."""

    fact: FactName


class TemplateTable(_Entry):
    """A table of facts, of fixed rows, or of empty rows."""

    of: FactName = ""
    """The list whose entries are its rows."""
    columns: tuple[TemplateColumn, ...] = Field(min_length=1, max_length=12)
    items: tuple[tuple[Text | TemplateCell, ...], ...] = Field(default=(), max_length=200)
    """Fixed rows: the texts, or the facts, of the first columns."""
    blank: int = Field(default=0, ge=0, le=_MOST_BLANK)
    """Rows that it has at least, empty where nothing is known."""

    @model_validator(mode="after")
    def _fits(self) -> TemplateTable:
        if self.of and self.items:
            raise ValueError(t("papers.wrong.rows"))
        if any(len(item) > len(self.columns) for item in self.items):
            raise ValueError(t("papers.wrong.cells"))
        if not self.of and any(column.fact for column in self.columns):
            raise ValueError(t("papers.wrong.no_list"))
        return self


class TemplateSection(_Entry):
    """One part of a paper."""

    title: Label
    fields: tuple[TemplateField, ...] = Field(default=(), max_length=60)
    table: TemplateTable | None = None

    @model_validator(mode="after")
    def _has_content(self) -> TemplateSection:
        if not self.fields and self.table is None:
            raise ValueError(t("papers.wrong.empty"))
        return self


class PaperTemplate(_Entry):
    """The template of one kind of paper."""

    kind: PaperKind
    title: Label
    approvals: tuple[Label, ...] = Field(default=(), max_length=6)
    sections: tuple[TemplateSection, ...] = Field(min_length=1, max_length=40)
    note: Text = ""

    @model_validator(mode="after")
    def _names_known_facts(self) -> PaperTemplate:
        unknown = sorted(set(self._unknown()))
        if unknown:
            known = ", ".join(sorted({*VALUES[self.kind], *LISTS[self.kind]}))
            raise ValueError(t("papers.wrong.fact", names=", ".join(unknown), known=known))
        return self

    def _unknown(self) -> Iterator[str]:
        for section in self.sections:
            yield from (
                one.fact for one in section.fields if one.fact and one.fact not in VALUES[self.kind]
            )
            table = section.table
            cells = [cell for item in table.items for cell in item] if table else []
            yield from (
                cell.fact
                for cell in cells
                if isinstance(cell, TemplateCell) and cell.fact not in VALUES[self.kind]
            )
            if table is not None and table.of:
                columns = LISTS[self.kind].get(table.of)
                if columns is None:
                    yield table.of
                    continue
                yield from (
                    f"{table.of}.{one.fact}"
                    for one in table.columns
                    if one.fact and one.fact not in columns
                )


def parse(text: str, kind: PaperKind) -> PaperTemplate:
    """Return the template of a text.

    Raises `Invalid` with line and reason of every fault, and for one of another kind of paper.
    """
    name = file_name(kind)
    yaml_problems.require_valid(PaperTemplate, text, name)
    found = parse_cached(text)
    if found.kind != kind:
        raise Invalid(what=name, why=t("papers.wrong.kind", kind=kind), field="text")
    return found


@lru_cache(maxsize=64)
def parse_cached(text: str) -> PaperTemplate:
    """Return the template of a text that was validated before."""
    return PaperTemplate.model_validate(chart_yaml.load(text, "template.yaml"))


def shipped_text(kind: PaperKind) -> str:
    """Return the text of the shipped template of a kind of paper."""
    return (SHIPPED / file_name(kind)).read_text("utf-8")


def kind_of(name: str) -> PaperKind:
    """Return the kind of paper of a name. Raises `NotFound` if there is none."""
    for kind in KINDS:
        if kind == name:
            return kind
    raise NotFound(what=name[:40])


def file_name(kind: PaperKind) -> str:
    """Return the name of the file of a template."""
    return f"{kind}.yaml"
