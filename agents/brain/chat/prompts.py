"""The questions that a chat model is asked, with all that it may see and say.

Requests and documents are data: they are written as JSON texts between marks, with every character
escaped that chat templates could take for a mark of their own, so that nothing in them can end
their place in the message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Generic, TypeVar

from guardia.agents.brain.chat import parsing
from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.goals.scope import GoalScope
from guardia.agents.brain.protocol import RunbookChoice
from guardia.agents.brain.triage.classify import Triage
from guardia.knowledge.library import RunbookMatch
from guardia.org.directory import Directory, Host, InstitutionInfo

T = TypeVar("T")

MAX_SERVERS = 200
"""Servers that are offered at once: an enum is compiled into a grammar by the model server."""
MAX_TEXT = 4_000
"""Characters of a request that a model is shown."""
_PASSAGE = 800
_NOTE = 300
_NOTES = 12
# <|im_start|>, </request>, [INST], [|user|]: none of these can be spelled without one of them.
_MARKS = frozenset("<>[]|")


@dataclass(frozen=True, slots=True)
class Prompt(Generic[T]):
    """One question: instructions, data, and what an answer must look like."""

    name: str
    instructions: str
    data: str
    schema: dict[str, Any]
    parse: Callable[[str], T]
    """From the model's text to a choice of what was offered; ``ModelError`` else."""
    base_schema: str
    """The form of an answer without what is offered this time."""

    @property
    def schema_json(self) -> str:
        """The schema as it is sent."""
        return json.dumps(self.schema, ensure_ascii=False)

    def version(self, system: str) -> str:
        """Which prompt this is: the same for all requests, another after a change of the
        instructions (``system``, with the role) or of the answer's form."""
        return hashlib.sha256(f"{system}\n{self.base_schema}".encode()).hexdigest()[:12]


def triage_prompt(text: str, directory: Directory) -> Prompt[Triage]:
    """How to classify ``text``, and which servers it means."""
    servers = _offered_servers(text, directory)
    institutions = directory.institutions[:MAX_SERVERS]
    return Prompt(
        name="triage",
        instructions=_instructions("triage"),
        data=_sections(
            directory=_directory_data(institutions, servers),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.triage_schema(servers, institutions),
        parse=lambda said: parsing.parse_triage(said, servers, institutions),
        base_schema=parsing.TRIAGE_BASE_SCHEMA,
    )


def goal_prompt(text: str, scope: GoalScope) -> Prompt[tuple[GoalPiece, ...]]:
    """Which pieces of work the goal ``text`` is, on which servers of what it may be about."""
    servers = _offered_servers(text, scope.directory)
    return Prompt(
        name="divide",
        instructions=_instructions("divide"),
        data=_sections(
            directory=_directory_data(scope.directory.institutions[:MAX_SERVERS], servers),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.division_schema(servers),
        parse=lambda said: parsing.parse_division(said, servers, scope.servers),
        base_schema=parsing.DIVISION_BASE_SCHEMA,
    )


def choice_prompt(
    text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
) -> Prompt[RunbookChoice]:
    """Which of the ``found`` procedures fits ``text``; ``notes`` are the agent's own."""
    runbooks = [f.runbook.id for f in found]
    return Prompt(
        name="choose",
        instructions=_instructions("choose"),
        data=_sections(
            procedures=[_procedure_data(f) for f in found],
            **({"notes": [note[:_NOTE] for note in notes[:_NOTES]]} if notes else {}),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.choice_schema(runbooks),
        parse=lambda said: parsing.parse_choice(said, runbooks),
        base_schema=parsing.CHOICE_BASE_SCHEMA,
    )


def _offered_servers(text: str, directory: Directory) -> tuple[Host, ...]:
    """All servers; of very many those first whose name or institution stands in the text."""
    if len(directory.servers) <= MAX_SERVERS:
        return directory.servers
    said = "".join(text.lower().split())
    institutions = {
        i.id for i in directory.institutions if _mentions_any(said, i.id, i.name, *i.aliases)
    }

    def distance(host: Host) -> int:
        if _mentions_any(said, host.server_id, *host.aliases):
            return 0
        return 1 if host.institution in institutions else 2

    return tuple(sorted(directory.servers, key=distance)[:MAX_SERVERS])


def _mentions_any(said: str, *names: str) -> bool:
    return any("".join(name.lower().split()) in said for name in names if name)


def _directory_data(
    institutions: Sequence[InstitutionInfo], servers: Sequence[Host]
) -> dict[str, Any]:
    return {
        "institutions": [i.model_dump(mode="json") for i in institutions],
        "servers": [_server_data(s) for s in servers],
    }


def _server_data(host: Host) -> dict[str, Any]:
    """What the model may know of a server: names, never addresses, accounts or paths."""
    return {
        "id": host.server_id,
        "institution": host.institution,
        "kind": host.kind,
        "aliases": list(host.aliases),
    }


def _procedure_data(found: RunbookMatch) -> dict[str, Any]:
    return {
        "id": found.runbook.id,
        "title": found.runbook.title,
        "symptoms": list(found.runbook.symptoms),
        "passage": f"{found.passage.heading}\n{found.passage.text}"[:_PASSAGE],
    }


def _sections(**sections: Any) -> str:
    return "\n".join(f"<{name}>\n{encode(value)}\n</{name}>" for name, value in sections.items())


def encode(value: Any) -> str:
    """``value`` as JSON whose texts hold no mark, bracket or bar of their own."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{encode(k)}: {encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(encode(v) for v in value) + "]"
    if isinstance(value, str):
        # A lone surrogate could not be sent at all.
        value = value.encode("utf-8", "replace").decode("utf-8")
    return "".join(map(_escape, json.dumps(value, ensure_ascii=False)))


def _escape(character: str) -> str:
    """Marks, and characters that nobody sees (line separators, tags), as JSON escapes."""
    if character.isprintable() and character not in _MARKS:
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


@cache
def _instructions(name: str) -> str:
    folder = files("guardia.agents.brain.chat") / "prompt_texts"
    return "\n\n".join((folder / f"{n}.md").read_text("utf-8").strip() for n in (name, "rules"))
