"""Runbooks: a procedure that people read and agents follow, in one Markdown file.

The front matter says by which symptoms it is found, what to read, which findings lead to what,
and how the whole is verified; the prose says why. Expressions are JMESPath.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from guardia.errors import Misconfigured
from guardia.i18n import t

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^#{1,3} +(.+)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(f"JMESPath: {error}") from error
    return text


def _sentence(text: str) -> str:
    for inner in _PLACEHOLDER.findall(text):
        _expression(inner)
    return text


def _arguments(args: dict[str, Any]) -> dict[str, Any]:
    for value in args.values():
        if isinstance(value, str) and value.startswith("="):
            _expression(value[1:])
    return args


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"regular expression: {error}") from error
    return text


Expression = Annotated[str, AfterValidator(_expression)]
Sentence = Annotated[str, AfterValidator(_sentence)]
Arguments = Annotated[dict[str, Any], AfterValidator(_arguments)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(_Entry):
    """A value that is read out of the request's text."""

    pattern: Annotated[str, AfterValidator(_pattern)]
    required: bool = False
    ask: str = ""
    """What to ask where it is missing."""


class Reading(_Entry):
    """A read-only call whose findings are bound to a name."""

    as_: str = Field(alias="as", pattern=r"^[a-z][a-z0-9_]*$")
    tool: str
    args: Arguments = Field(default_factory=dict)


class Act(_Entry):
    """A change, once or for each element of a list (bound as ``item``)."""

    tool: str
    args: Arguments = Field(default_factory=dict)
    for_each: Expression | None = None


class Verify(_Entry):
    """A read that must find what is expected, within so many seconds."""

    tool: str
    args: Arguments = Field(default_factory=dict)
    expect: Expression
    within: int = Field(default=0, ge=0, le=600)


class Rule(_Entry):
    """What certain findings lead to."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: Expression
    because: Sentence
    act: tuple[Act, ...] = ()
    conclude: Literal["nothing_to_do", "hand_over"] | None = None
    verify: tuple[Verify, ...] = ()

    @model_validator(mode="after")
    def _acts_or_concludes(self) -> Rule:
        if bool(self.act) == bool(self.conclude):
            raise ValueError("a rule has either act or conclude")
        if self.act and not self.verify:
            raise ValueError("a rule that acts verifies the whole")
        return self


@dataclass(frozen=True, slots=True)
class Passage:
    """One section of a document: what is found and cited."""

    document: str
    heading: str
    text: str


class Runbook(_Entry):
    """One procedure."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    version: int = Field(ge=1)
    skills: tuple[str, ...] = Field(min_length=1)
    kinds: tuple[str, ...] = Field(min_length=1)
    service: str | None = None
    """Kind of the service that it works on."""
    category: str
    action_type: str | None = None
    symptoms: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    diagnose: tuple[Reading, ...] = ()
    decide: tuple[Rule, ...] = Field(min_length=1)

    _body: str = PrivateAttr(default="")
    _sha256: str = PrivateAttr(default="")

    @property
    def body(self) -> str:
        """The prose, as Markdown."""
        return self._body

    @property
    def sha256(self) -> str:
        """Hash of the whole file: which text a citation meant."""
        return self._sha256

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The prose by section."""
        parts = _HEADING.split(self._body)
        return tuple(
            Passage(self.id, heading.strip(), text.strip())
            for heading, text in zip(parts[1::2], parts[2::2], strict=True)
            if text.strip()
        )


def parse(text: str, name: str) -> Runbook:
    """A runbook from its file's text; ``Misconfigured`` names the field that does not hold."""
    found = _FRONT.match(text)
    if found is None:
        raise Misconfigured(what=name, why=t("knowledge.no_front_matter"))
    try:
        runbook = Runbook.model_validate(YAML(typ="safe").load(StringIO(found[1])))
    except YAMLError as error:
        raise Misconfigured(what=name, why=" ".join(str(error).split())) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Misconfigured(what=f"{name}: {place}", why=first["msg"]) from error
    if runbook.id != Path(name).stem:
        raise Misconfigured(what=f"{name}: id", why=t("knowledge.id_is_not_name"))
    runbook._body = found[2].strip()
    runbook._sha256 = hashlib.sha256(text.encode()).hexdigest()
    return runbook


def load(path: Path) -> Runbook:
    """A runbook from a file."""
    return parse(path.read_text("utf-8"), path.name)


def shipped() -> tuple[Runbook, ...]:
    """The runbooks that the product brings, by name."""
    folder = Path(str(files("guardia.knowledge"))) / "runbooks"
    return tuple(load(path) for path in sorted(folder.glob("*.md")))
