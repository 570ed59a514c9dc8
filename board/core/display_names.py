"""The names of those whom the record and the tables call ``person:…`` and ``agent:…``."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.org.model import Agent, Person


def display_names_of(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """What people call each of them; whoever is unknown, or a channel, is left out."""
    known = set(actors)
    people = [a.removeprefix("person:") for a in known if a.startswith("person:")]
    agents = [a.removeprefix("agent:") for a in known if a.startswith("agent:")]
    names = {
        f"person:{p.person_id}": f"{p.name} {p.title}".strip()
        for p in session.execute(
            select(Person.person_id, Person.name, Person.title).where(Person.person_id.in_(people))
        )
    }
    for agent in session.execute(
        select(Agent.agent_id, Agent.title).where(Agent.agent_id.in_(agents))
    ):
        names[f"agent:{agent.agent_id}"] = agent.title
    return names
