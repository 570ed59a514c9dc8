"""Actors (people, agents, channels, operators, the system) and their stored form, `person:lead`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guardia.board.core.lifecycle import ActorKind

if TYPE_CHECKING:
    from guardia.org.directory import PersonInfo

_KINDS = frozenset(ActorKind)
_HUMAN_KINDS = (ActorKind.PERSON, ActorKind.CHANNEL, ActorKind.OPERATOR)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an agent, a channel, an operator of this installation, or the system itself."""

    kind: ActorKind
    id: str
    label: str = field(compare=False)
    """Display name, or the id if none is known; never stored."""

    @classmethod
    def person(cls, person_id: str) -> Actor:
        return cls(ActorKind.PERSON, person_id, person_id)

    @classmethod
    def of(cls, person: PersonInfo) -> Actor:
        """Return a person with the name and title of their account."""
        return cls(ActorKind.PERSON, person.id, f"{person.name} {person.title}".strip())

    @classmethod
    def agent(cls, agent_id: str) -> Actor:
        return cls(ActorKind.AGENT, agent_id, agent_id)

    @classmethod
    def channel(cls, name: str, sender: str | None = None) -> Actor:
        """Return a channel; `sender` names a writer who has no account here."""
        return cls(ActorKind.CHANNEL, name, name if sender is None else sender)

    @classmethod
    def operator(cls, name: str) -> Actor:
        return cls(ActorKind.OPERATOR, name, name)

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls(ActorKind.SYSTEM, name, name)

    @classmethod
    def parse(cls, stored: str | None) -> Actor | None:
        """Return the actor of a stored form, or `None` if the text has no such form."""
        kind, separator, actor_id = (stored or "").partition(":")
        if not separator or kind not in _KINDS:
            return None
        return cls(ActorKind(kind), actor_id, actor_id)

    @classmethod
    def kind_of(cls, stored: str | None) -> ActorKind | None:
        """Return the kind of a stored form, or `None` if the text has no such form."""
        actor = cls.parse(stored)
        return actor.kind if actor is not None else None

    @property
    def is_human(self) -> bool:
        """Whether a person acts, directly or through a channel or a command line."""
        return self.kind in _HUMAN_KINDS

    def __str__(self) -> str:
        """Return the stored form."""
        return f"{stored_prefix(self.kind)}{self.id}"


def stored_prefix(kind: ActorKind) -> str:
    """Return the prefix of the stored forms of a kind, for queries."""
    return f"{kind.value}:"
