"""The service catalogue as data: forms, their fields, and its validation with lines. Pure."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from guardia.i18n import t
from guardia.org import chart_yaml, yaml_problems
from guardia.org.service_levels import Priority
from guardia.text import CleanStr, matching_form

SHIPPED = Path(__file__).with_name("catalogue.yaml")
NAME = "catalogue.yaml"
MOST_TEXT = 1_000_000
"""Characters of a catalogue."""
FieldKind = Literal["text", "long_text", "choice", "date", "number", "person", "server"]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Label = Annotated[CleanStr, StringConstraints(min_length=1, max_length=100)]
Help = Annotated[CleanStr, StringConstraints(max_length=500)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FormField(_Entry):
    """One field of a form."""

    id: Id
    label: Label
    kind: FieldKind = "text"
    required: bool = True
    help: Help = ""
    options: tuple[Label, ...] = Field(default=(), max_length=50)
    """What a choice offers."""
    least: int | None = None
    most: int | None = None
    """Limits of a number."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> FormField:
        if (self.kind == "choice") != bool(self.options):
            raise ValueError(t("forms.wrong.options"))
        limited = self.least is not None or self.most is not None
        reversed_ = self.least is not None and self.most is not None and self.least > self.most
        if (limited and self.kind != "number") or reversed_:
            raise ValueError(t("forms.wrong.limits"))
        return self


class RequestForm(_Entry):
    """A form for one everyday request."""

    id: Id
    title: Label
    group: Label
    about: Help = ""
    """When to use it, below its title."""
    keywords: tuple[Label, ...] = Field(default=(), max_length=50)
    """Further words by which people search for it."""
    category: Annotated[CleanStr, StringConstraints(max_length=40)] | None = None
    """Field of the engineers to whom it is proposed."""
    priority: Priority = "P3"
    owner: Annotated[CleanStr, StringConstraints(max_length=64)] = ""
    """Account or team that gets it; empty: it is proposed to who fits."""
    due_days: int | None = Field(default=None, ge=1, le=365)
    """Working days after which it is due."""
    triage: bool = False
    """Whether agents look at it first, because it names a server."""
    checklist: tuple[Label, ...] = Field(default=(), max_length=30)
    """What the one who works on it checks."""
    fields: tuple[FormField, ...] = Field(min_length=1, max_length=40)

    @model_validator(mode="after")
    def _different_fields(self) -> RequestForm:
        ids = [field.id for field in self.fields]
        if len(set(ids)) != len(ids):
            raise ValueError(t("forms.wrong.field_twice"))
        return self

    def words(self) -> str:
        """Return everything by which people search for it."""
        labels = (field.label for field in self.fields)
        return matching_form(
            " ".join((self.title, self.group, self.about, *self.keywords, *labels))
        )


class Catalogue(_Entry):
    """All forms."""

    forms: tuple[RequestForm, ...] = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _different_forms(self) -> Catalogue:
        ids = [form.id for form in self.forms]
        if len(set(ids)) != len(ids):
            raise ValueError(t("forms.wrong.form_twice"))
        return self

    def find(self, form_id: str) -> RequestForm | None:
        """Return a form, or `None` if there is none of that id."""
        return next((form for form in self.forms if form.id == form_id), None)

    def search(self, query: str) -> tuple[RequestForm, ...]:
        """Return the forms that contain all words of a query, those with it in the title first."""
        words = matching_form(query).split()
        found = [form for form in self.forms if all(word in form.words() for word in words)]
        return tuple(
            sorted(found, key=lambda form: not all(w in matching_form(form.title) for w in words))
        )


def parse(text: str, name: str = NAME) -> Catalogue:
    """Return the catalogue of a text. Raises `Invalid` with line and reason of every fault."""
    yaml_problems.require_valid(Catalogue, text, name)
    return Catalogue.model_validate(chart_yaml.load(text, name))


@lru_cache(maxsize=8)
def parse_cached(text: str) -> Catalogue:
    """Return the catalogue of a text that was validated before."""
    return Catalogue.model_validate(chart_yaml.load(text, NAME))


def shipped_text() -> str:
    """Return the text of the shipped catalogue."""
    return SHIPPED.read_text("utf-8")
