"""Prompts for a chat model, with all that it may see and choose.

Requests and documents are data: they are sent as JSON texts between tags, with every character
escaped that a chat template could take for a tag of its own, so that nothing in them can end their
section.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

from guardia.agents.brain.chat import parsing
from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.goals.scope import GoalScope
from guardia.agents.brain.protocol import RunbookChoice
from guardia.agents.brain.triage.classify import Triage, mentioned_servers, relevant_text
from guardia.agents.brain.triage.names import index_of
from guardia.board.command.openings import Openings
from guardia.board.command.structure import Command
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory, Host, InstitutionInfo

T = TypeVar("T")

MAX_SERVERS = 200
"""Maximum servers offered at once: the model server compiles the enum into a grammar."""
MAX_TEXT = 4_000
"""Maximum characters of a request in a prompt."""
_PASSAGE = 800
_NOTE = 300
_NOTES = 12
SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15, 0.08)
"""How much of the texts a prompt keeps, for a model with a small window; the first is all."""
_NOTES_FROM = 0.7
"""Share below which an agent's notes are dropped: request and procedures rank above them."""
# <|im_start|>, </request>, [INST], [|user|]: each needs at least one of these.
_MARKS = frozenset("<>[]|")


@dataclass(frozen=True, slots=True)
class Prompt(Generic[T]):
    """One prompt: instructions, data, and the form of the answer."""

    name: str
    instructions: str
    data: str
    schema: dict[str, Any]
    parse: Callable[[str], T]
    """Parses the model's text into a choice of what was offered. Raises `ModelError`."""
    base_schema: str
    """The schema without what is offered this time."""
    build: Callable[[float], str]
    """Builds the data with this share of its texts."""

    def shortened(self, share: float) -> Prompt[T]:
        """Return the prompt with a share of its texts; what is offered stays whole."""
        return self if share >= 1 else replace(self, data=self.build(share))

    @property
    def schema_json(self) -> str:
        """The schema as it is sent."""
        return json.dumps(self.schema, ensure_ascii=False)

    def version(self, system: str) -> str:
        """Return an id of the prompt that is the same for all requests.

        It changes with the instructions (`system`, with the role) and the form of the answer.
        """
        return hashlib.sha256(f"{system}\n{self.base_schema}".encode()).hexdigest()[:12]


def triage_prompt(text: str, directory: Directory) -> Prompt[Triage]:
    """Build the prompt to classify `text`. Only what it names can be chosen."""
    index = index_of(directory)
    named = mentioned_servers([text], directory)[:MAX_SERVERS]
    servers = tuple(index.hosts[s] for s in named)
    spoken = index.institutions_in(relevant_text(text)) | {s.institution for s in servers}
    institutions = tuple(
        index.institutions[i] for i in sorted(spoken)[:MAX_SERVERS] if i in index.institutions
    )

    def build(share: float) -> str:
        offered = _directory_data(institutions, servers)
        return _sections(directory=offered, request=_kept(text, share))

    return Prompt(
        name="triage",
        instructions=_instructions("triage"),
        data=build(1),
        schema=parsing.triage_schema(servers, institutions),
        parse=lambda answer: parsing.parse_triage(answer, servers, institutions),
        base_schema=parsing.TRIAGE_BASE_SCHEMA,
        build=build,
    )


def command_prompt(line: str, found: Openings) -> Prompt[Command]:
    """Build the prompt to read an operator's line; only what the line names can be chosen."""
    offered = {"issues": list(map(str, found.issues)), "targets": list(found.targets)}

    def build(share: float) -> str:
        return _sections(named=offered, request=_kept(line, share))

    return Prompt(
        name="command",
        instructions=_instructions("command"),
        data=build(1),
        schema=parsing.command_schema(found),
        parse=lambda answer: parsing.parse_command(answer, found),
        base_schema=parsing.COMMAND_BASE_SCHEMA,
        build=build,
    )


def goal_prompt(text: str, scope: GoalScope) -> Prompt[tuple[GoalPiece, ...]]:
    """Build the prompt to split the goal `text` into pieces of work on servers in its `scope`."""
    servers = scope.offered[:MAX_SERVERS]

    def build(share: float) -> str:
        # A goal is never cut: work at its end would be lost.
        offered = _directory_data(scope.directory.institutions[:MAX_SERVERS], servers)
        return _sections(directory=offered, request=text[:MAX_TEXT])

    return Prompt(
        name="divide",
        instructions=_instructions("divide"),
        data=build(1),
        schema=parsing.division_schema(servers),
        parse=lambda answer: parsing.parse_division(answer, servers, scope.servers),
        base_schema=parsing.DIVISION_BASE_SCHEMA,
        build=build,
    )


def choice_prompt(
    text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
) -> Prompt[RunbookChoice]:
    """Build the prompt to choose one of `found` for `text`; `notes` are the agent's own."""
    runbooks = [f.runbook.id for f in found]

    def build(share: float) -> str:
        kept = [note[:_NOTE] for note in notes[:_NOTES]] if share >= _NOTES_FROM else []
        return _sections(
            procedures=[_procedure_data(f, share) for f in found],
            **({"notes": kept} if kept else {}),
            request=_kept(text, share),
        )

    return Prompt(
        name="choose",
        instructions=_instructions("choose"),
        data=build(1),
        schema=parsing.choice_schema(runbooks),
        parse=lambda answer: parsing.parse_choice(answer, runbooks),
        base_schema=parsing.CHOICE_BASE_SCHEMA,
        build=build,
    )


def composed_prompt(question: str, passages: Sequence[str]) -> Prompt[tuple[tuple[str, str], ...]]:
    """Build the prompt to answer a question from these passages, each sentence citing one."""
    names = [str(number) for number in range(1, len(passages) + 1)]

    def build(share: float) -> str:
        kept = round(_PASSAGE * share)
        offered = [{"id": n, "text": p[:kept]} for n, p in zip(names, passages, strict=True)]
        return _sections(passages=offered, request=_kept(question, share))

    return Prompt(
        name="compose",
        instructions=_instructions("compose"),
        data=build(1),
        schema=parsing.composed_schema(names),
        parse=lambda answer: parsing.parse_composed(answer, names),
        base_schema=parsing.COMPOSED_BASE_SCHEMA,
        build=build,
    )


def _directory_data(
    institutions: Sequence[InstitutionInfo], servers: Sequence[Host]
) -> dict[str, Any]:
    return {
        "institutions": [i.model_dump(mode="json") for i in institutions],
        "servers": [_server_data(s) for s in servers],
    }


def _server_data(host: Host) -> dict[str, Any]:
    """Return what the model may know of a server: names, never addresses, accounts or paths."""
    return {
        "id": host.server_id,
        "institution": host.institution,
        "kind": host.kind,
        "aliases": list(host.aliases),
    }


def _kept(text: str, share: float) -> str:
    return text[: round(MAX_TEXT * share)]


def _procedure_data(found: RunbookMatch, share: float) -> dict[str, Any]:
    return {
        "id": found.runbook.id,
        "title": found.runbook.title,
        "symptoms": list(found.runbook.symptoms),
        "passage": f"{found.passage.heading}\n{found.passage.text}"[: round(_PASSAGE * share)],
    }


def _sections(**sections: Any) -> str:
    return "\n".join(f"<{name}>\n{encode(value)}\n</{name}>" for name, value in sections.items())


def encode(value: Any) -> str:
    """Encode `value` as JSON whose texts contain no angle bracket, bracket or bar."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{encode(k)}: {encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(encode(v) for v in value) + "]"
    if isinstance(value, str):
        # A lone surrogate cannot be sent.
        value = value.encode("utf-8", "replace").decode("utf-8")
    return "".join(map(_escape, json.dumps(value, ensure_ascii=False)))


def _escape(character: str) -> str:
    """Escape tag characters and invisible ones (line separators, tags) as JSON escapes."""
    if character.isprintable() and character not in _MARKS:
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


@cache
def _instructions(name: str) -> str:
    folder = files("guardia.agents.brain.chat") / "prompt_texts"
    return "\n\n".join((folder / f"{n}.md").read_text("utf-8").strip() for n in (name, "rules"))
