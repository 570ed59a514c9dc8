"""Users of GitHub's dialect: people by their account, agents and channels as bots."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.display_names import display_names_of
from guardia.board.core.lifecycle import ActorKind
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.shapes import User
from guardia.org.directory import PersonInfo
from guardia.org.model import Agent, Person

_BOT = "[bot]"
_GHOST = "ghost"


@dataclass(frozen=True, slots=True)
class Users:
    """Renders actors as users; their names are read once for an answer."""

    addresses: Addresses
    names: Mapping[str, str] = field(default_factory=dict)

    def user(self, stored: str | None, name: str | None = None) -> User:
        """Return the user of a stored actor; one without an account is `ghost` with its name."""
        actor = Actor.parse(stored)
        login = _login(actor)
        url = self.addresses.user(login)
        return User(
            login=login,
            id=number_of(stored or _GHOST),
            node_id=stored or _GHOST,
            avatar_url=self.addresses.page("/static/icon.svg"),
            url=url,
            html_url=url,
            type="User" if actor is None or actor.kind is ActorKind.PERSON else "Bot",
            name=self.names.get(stored or "") or name or login,
        )

    def person(self, person_id: str | None, name: str | None = None) -> User:
        """Return the user of a person's account."""
        return self.user(str(Actor.person(person_id)) if person_id else None, name)


def users_of(session: Session, addresses: Addresses, actors: Iterable[str | None]) -> Users:
    """Return the users that an answer names."""
    return Users(addresses, display_names_of(session, {a for a in actors if a}))


def number_of(text: str) -> int:
    """Return a number for a name: always the same, and small enough for JavaScript."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _login(actor: Actor | None) -> str:
    if actor is None:
        return _GHOST
    return actor.id if actor.kind is ActorKind.PERSON else f"{actor.id or actor.kind}{_BOT}"


def find_actor(session: Session, viewer: PersonInfo, login: str) -> str | None:
    """Return the stored actor with a login that a viewer may know, or `None`.

    Customers know themselves, and who works on the issues of their institution by name only.
    """
    if login.endswith(_BOT):
        agent = session.get(Agent, login.removesuffix(_BOT)) if viewer.role != "customer" else None
        return str(Actor.agent(agent.agent_id)) if agent is not None else None
    if viewer.role == "customer" and login.lower() != viewer.id.lower():
        return None
    query = select(Person.person_id).where(func.lower(Person.person_id) == login.lower())
    found = session.scalar(query.limit(1))
    return str(Actor.person(found)) if found is not None else None
