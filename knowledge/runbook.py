"""Runbooks: the front matter is executed, the prose is read by people and cited in plans."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from guardia.errors import Misconfigured
from guardia.i18n import t

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_MIN_SECTIONS = 4
# In JMESPath "!a.b" means "(!a).b": always null, and never what the author meant.
_LOOSE_NOT = re.compile(r"![A-Za-z_]\w*\.")


def _expression(text: str) -> str:
    if _LOOSE_NOT.search(text):
        raise ValueError(t("knowledge.loose_not", text=text))
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(t("knowledge.not_an_expression", text=text, why=error)) from None
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(t("knowledge.not_a_pattern", text=text, why=error)) from None
    return text


def _sentence(text: str) -> str:
    for placeholder in _PLACEHOLDER.findall(text):
        _expression(placeholder)
    return text


def _arguments(args: Mapping[str, Any]) -> Mapping[str, Any]:
    for value in args.values():
        if isinstance(value, str) and value.startswith("="):
            _expression(value[1:])
    return args


Expression = Annotated[str, AfterValidator(_expression)]
"""JMESPath over `server`, `service`, `params` and the findings by name."""
Sentence = Annotated[str, Field(min_length=1), AfterValidator(_sentence)]
"""Korean text whose `{…}` are expressions."""
Arguments = Annotated[dict[str, Any], AfterValidator(_arguments)]
"""Values of a tool's arguments; a string after `=` is an expression, everything else literal."""
ToolName = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z_]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Tag = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]*$")]

ActionType = Literal[
    "RESTART", "DEPLOY", "LOG_ANALYSIS", "HEALTH_CHECK",
    "DISK_CLEANUP", "KILL_QUERY", "CERT_CHECK", "BACKUP",
]  # fmt: skip


class _StrictModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class DiagnoseStep(_StrictModel):
    """A read whose findings are bound to the name `as`."""

    as_: Name = Field(alias="as")
    tool: ToolName
    args: Arguments = Field(default_factory=dict)


class RunbookAction(_StrictModel):
    """A change. With `for_each` it runs once per element, bound to `item`."""

    tool: ToolName
    args: Arguments = Field(default_factory=dict)
    for_each: Expression | None = None


class VerifyStep(_StrictModel):
    """A read after the last action that must match `expect` `within` seconds."""

    tool: ToolName
    args: Arguments = Field(default_factory=dict)
    expect: Expression
    sentence: Sentence
    """What it verifies, as people who approve the plan read it."""
    within: float = Field(default=0.0, ge=0.0, le=600.0)


class DecisionRule(_StrictModel):
    """The consequence if `when` is truthy: actions, or the end of the procedure."""

    id: Name
    when: Expression
    because: Sentence
    act: tuple[RunbookAction, ...] = ()
    verify: tuple[VerifyStep, ...] = ()
    conclude: Literal["nothing_to_do", "hand_over"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> DecisionRule:
        if bool(self.act) == bool(self.conclude):
            raise ValueError(t("knowledge.act_or_conclude"))
        if self.act and not self.verify:
            raise ValueError(t("knowledge.act_without_verify"))
        return self


class Parameter(_StrictModel):
    """A value that is extracted from the text of the request."""

    pattern: Annotated[str, AfterValidator(_pattern)]
    required: bool = False
    ask: str = ""
    """The question to the requester if the text lacks the value."""


class FrontMatter(_StrictModel):
    """The executable part of a runbook."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Annotated[str, Field(min_length=1)]
    version: Annotated[int, Field(ge=1)]
    skills: tuple[Tag, ...] = Field(min_length=1)
    kinds: tuple[Tag, ...] = Field(min_length=1)
    service: Annotated[str, Field(pattern=r"^[a-z]+$")] | None = None
    products: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]+$")], ...] = ()
    """Products of the service, such as `nginx`; empty: any."""
    category: Tag
    action_type: ActionType
    symptoms: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    diagnose: tuple[DiagnoseStep, ...] = Field(min_length=1)
    decide: tuple[DecisionRule, ...] = Field(min_length=1)


class Passage(_StrictModel):
    """One section of a runbook's prose: the unit of search and citation."""

    document: str
    title: str
    version: int
    sha256: str
    heading: str
    text: str


class Runbook(FrontMatter):
    """A runbook with its prose. `sha256` covers the whole file."""

    sha256: str
    passages: tuple[Passage, ...]

    def is_for_products(self, products: Collection[str]) -> bool:
        """Return whether it is for one of these products, or for any."""
        return not self.products or not set(self.products).isdisjoint(products)


def load(path: Traversable) -> Runbook:
    """Load the runbook at `path`. Raises `Misconfigured` with the file and the invalid field."""
    return parse(path.read_bytes(), path.name)


def parse(data: bytes, name: str) -> Runbook:
    """Return the runbook of a file. Raises `Misconfigured` with its name and the invalid field."""
    match = _FRONT.match(data.decode("utf-8").replace("\r\n", "\n"))
    if match is None:
        raise Misconfigured(what=name, why=t("knowledge.no_front_matter"))
    front = _front_matter(name, match[1])
    if f"{front.id}.md" != name:
        raise Misconfigured(what=name, why=t("knowledge.other_id", id=front.id))
    digest = hashlib.sha256(data).hexdigest()
    passages = tuple(_passages(match[2], front, digest))
    if len(passages) < _MIN_SECTIONS:
        raise Misconfigured(what=name, why=t("knowledge.few_sections", least=_MIN_SECTIONS))
    fields = {name: getattr(front, name) for name in FrontMatter.model_fields}
    return Runbook.model_construct(**fields, sha256=digest, passages=passages)


@cache
def shipped() -> tuple[Runbook, ...]:
    """Return the runbooks of this package, by id."""
    folder = files("guardia.knowledge") / "runbooks"
    found = [p for p in folder.iterdir() if p.name.endswith(".md")]
    return tuple(load(path) for path in sorted(found, key=lambda p: p.name))


def _front_matter(name: str, text: str) -> FrontMatter:
    try:
        return FrontMatter.model_validate(YAML(typ="safe", pure=True).load(text))
    except ValidationError as error:
        raise Misconfigured(what=name, why="; ".join(_error_lines(error))) from None
    except YAMLError as error:
        why = " ".join(str(error).split())
        raise Misconfigured(what=name, why=why) from None


def _error_lines(error: ValidationError) -> Iterator[str]:
    for part in error.errors():
        field = ".".join(str(p) for p in part["loc"])
        yield f"{field}: {part['msg']}" if field else part["msg"]


def _passages(body: str, front: FrontMatter, digest: str) -> Iterator[Passage]:
    pieces = _HEADING.split(body)
    for heading, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if text.strip():
            yield Passage(
                document=front.id,
                title=front.title,
                version=front.version,
                sha256=digest,
                heading=heading,
                text=text.strip(),
            )
