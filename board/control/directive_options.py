"""What people choose directives from: consequences, whether a reason is needed, assignees."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import literal, literal_column, select, union_all
from sqlalchemy.orm import Session

from guardia.board.control.verbs import DIRECTIVE_VERBS
from guardia.board.core.lifecycle import State
from guardia.org.model import Agent, Person

_AGENTS_TAKE = frozenset({State.PARSED, State.MANUAL})


@dataclass(frozen=True, slots=True)
class DirectiveOption:
    """One directive that a person may issue for a task."""

    verb: str
    consequence: str
    """Text key of what it does in the task's present state."""
    needs_reason: bool
    ends_something: bool
    """Whether the page asks for a confirmation."""


@dataclass(frozen=True, slots=True)
class Assignee:
    """An engineer or agent that can take over a task."""

    id: str
    name: str
    is_agent: bool


def directive_options(
    verbs: Iterable[str], state: State, *, undoing: bool
) -> tuple[DirectiveOption, ...]:
    """Return the directives of a task's form; `change` and `force` have pages of their own."""
    return tuple(
        DirectiveOption(
            verb,
            f"board.consequence.{_consequence(verb, state, undoing=undoing)}",
            DIRECTIVE_VERBS[verb].needs_reason,
            DIRECTIVE_VERBS[verb].ends,
        )
        for verb in verbs
        if verb != "change"
    )


def _consequence(verb: str, state: State, *, undoing: bool) -> str:
    if undoing:
        return f"{verb}_undoing"
    return f"{verb}_running" if verb == "abort" and state is State.IN_PROGRESS else verb


def assignees(session: Session) -> tuple[Assignee, ...]:
    """Return everyone to whom a task can be reassigned: engineers, then agents."""
    engineers = select(
        Person.person_id, (Person.name + " " + Person.title).label("name"), literal(False)
    ).where(Person.role == "engineer", Person.active)
    agents = select(Agent.agent_id, Agent.title, literal(True)).where(
        Agent.duty == "operate", Agent.state == "active"
    )
    found = session.execute(union_all(engineers, agents).order_by(literal_column("3, 2, 1")))
    return tuple(Assignee(one, name.strip(), is_agent) for one, name, is_agent in found)


def agents_can_take(state: State) -> bool:
    """Return whether a task in this state can be given to another agent."""
    return state in _AGENTS_TAKE
