"""Display names of the people and agents stored as `person:…` and `agent:…`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.org.model import Agent, Person


def display_names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """Return display names by stored form, without channels and unknown actors."""
    known = {actor for stored in actors if (actor := Actor.parse(stored)) is not None}
    people = [a.id for a in known if a.kind is ActorKind.PERSON]
    agents = [a.id for a in known if a.kind is ActorKind.AGENT]
    query = union_all(
        select(
            literal(f"{ActorKind.PERSON}:") + Person.person_id, Person.name + " " + Person.title
        ).where(Person.person_id.in_(people)),
        select(literal(f"{ActorKind.AGENT}:") + Agent.agent_id, Agent.title).where(
            Agent.agent_id.in_(agents)
        ),
    )
    return {stored: name.strip() for stored, name in session.execute(query)}


def person_name(names: Mapping[str, str], person_id: str | None) -> str | None:
    """Return the display name of a person, or `None` if the id is unknown."""
    return None if person_id is None else names.get(str(Actor.person(person_id)))


def agent_name(names: Mapping[str, str], agent_id: str | None) -> str | None:
    """Return the display name of an agent, or `None` if the id is unknown."""
    return None if agent_id is None else names.get(str(Actor.agent(agent_id)))
