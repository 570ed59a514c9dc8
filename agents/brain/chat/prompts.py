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
from guardia.agents.brain.goals.breakdown import Piece
from guardia.agents.brain.goals.scope import Scope
from guardia.agents.brain.protocol import Choice
from guardia.agents.brain.triage.classify import Triage
from guardia.knowledge.library import Found
from guardia.org.directory import Directory, Host, InstitutionName

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
class Question(Generic[T]):
    """One question: instructions, data, and what an answer must look like."""

    name: str
    instructions: str
    data: str
    schema: dict[str, Any]
    read: Callable[[str], T]
    """From the model's text to a choice of what was offered; ``ModelError`` else."""
    shape: str
    """The form of an answer without what is offered this time."""

    @property
    def form(self) -> str:
        """The schema as it is sent."""
        return json.dumps(self.schema, ensure_ascii=False)

    def version(self, system: str) -> str:
        """Which prompt this is: the same for all requests, another after a change of the
        instructions (``system``, with the role) or of the answer's form."""
        return hashlib.sha256(f"{system}\n{self.shape}".encode()).hexdigest()[:12]


def about_request(text: str, directory: Directory) -> Question[Triage]:
    """How to classify ``text``, and which servers it means."""
    servers = _offered(text, directory)
    institutions = directory.institutions[:MAX_SERVERS]
    return Question(
        name="triage",
        instructions=_instructions("triage"),
        data=_sections(
            directory=_listed(institutions, servers),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.triage_schema(servers, institutions),
        read=lambda said: parsing.read_triage(said, servers, institutions),
        shape=parsing.TRIAGE_SHAPE,
    )


def about_goal(text: str, scope: Scope) -> Question[tuple[Piece, ...]]:
    """Which pieces of work the goal ``text`` is, on which servers of what it may be about."""
    servers = _offered(text, scope.directory)
    return Question(
        name="divide",
        instructions=_instructions("divide"),
        data=_sections(
            directory=_listed(scope.directory.institutions[:MAX_SERVERS], servers),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.division_schema(servers),
        read=lambda said: parsing.read_division(said, servers, scope.servers),
        shape=parsing.DIVISION_SHAPE,
    )


def about_procedures(
    text: str, found: tuple[Found, ...], notes: tuple[str, ...] = ()
) -> Question[Choice]:
    """Which of the ``found`` procedures fits ``text``; ``notes`` are the agent's own."""
    runbooks = [f.runbook.id for f in found]
    return Question(
        name="choose",
        instructions=_instructions("choose"),
        data=_sections(
            procedures=[_procedure(f) for f in found],
            **({"notes": [note[:_NOTE] for note in notes[:_NOTES]]} if notes else {}),
            request=text[:MAX_TEXT],
        ),
        schema=parsing.choice_schema(runbooks),
        read=lambda said: parsing.read_choice(said, runbooks),
        shape=parsing.CHOICE_SHAPE,
    )


def _offered(text: str, directory: Directory) -> tuple[Host, ...]:
    """All servers; of very many those first whose name or institution stands in the text."""
    if len(directory.servers) <= MAX_SERVERS:
        return directory.servers
    said = "".join(text.lower().split())
    institutions = {i.id for i in directory.institutions if _stands(said, i.id, i.name, *i.aliases)}

    def distance(host: Host) -> int:
        if _stands(said, host.server_id, *host.aliases):
            return 0
        return 1 if host.institution in institutions else 2

    return tuple(sorted(directory.servers, key=distance)[:MAX_SERVERS])


def _stands(said: str, *names: str) -> bool:
    return any("".join(name.lower().split()) in said for name in names if name)


def _listed(institutions: Sequence[InstitutionName], servers: Sequence[Host]) -> dict[str, Any]:
    return {
        "institutions": [i.model_dump(mode="json") for i in institutions],
        "servers": [_described(s) for s in servers],
    }


def _described(host: Host) -> dict[str, Any]:
    """What the model may know of a server: names, never addresses, accounts or paths."""
    return {
        "id": host.server_id,
        "institution": host.institution,
        "kind": host.kind,
        "aliases": list(host.aliases),
    }


def _procedure(found: Found) -> dict[str, Any]:
    return {
        "id": found.runbook.id,
        "title": found.runbook.title,
        "symptoms": list(found.runbook.symptoms),
        "passage": f"{found.passage.heading}\n{found.passage.text}"[:_PASSAGE],
    }


def _sections(**sections: Any) -> str:
    return "\n".join(f"<{name}>\n{encoded(value)}\n</{name}>" for name, value in sections.items())


def encoded(value: Any) -> str:
    """``value`` as JSON whose texts hold no mark, bracket or bar of their own."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{encoded(k)}: {encoded(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(encoded(v) for v in value) + "]"
    if isinstance(value, str):
        # A lone surrogate could not be sent at all.
        value = value.encode("utf-8", "replace").decode("utf-8")
    return "".join(map(_harmless, json.dumps(value, ensure_ascii=False)))


def _harmless(character: str) -> str:
    """Marks, and characters that nobody sees (line separators, tags), as JSON escapes."""
    if character.isprintable() and character not in _MARKS:
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


@cache
def _instructions(name: str) -> str:
    folder = files("guardia.agents.brain.chat") / "prompt_texts"
    return "\n\n".join((folder / f"{n}.md").read_text("utf-8").strip() for n in (name, "rules"))
