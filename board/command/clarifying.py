"""What a person may choose when a command could mean several things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import or_, select

from guardia.board.command.reader import ReadLine
from guardia.board.command.reading import LineReading
from guardia.board.command.recipients import servers
from guardia.board.command.sentences import target_name
from guardia.board.command.structure import Command
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue, Task
from guardia.board.issues.visibility import visible_to
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_MAX = 6
_ACTIONS = ("pause", "resume", "abort", "query")
_SUPERIORS = ("team_lead", "pm", "security_officer", "admin")


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer."""

    value: str
    label: str


def options(board: BoardContext, person: PersonInfo, line: ReadLine) -> tuple[Option, ...]:
    """Return the answers to the question that a line leaves open; none: it must be typed."""
    reading = LineReading(line.text, line.situation, line.names)
    about = line.command.params["about"]
    find = {
        "person": _people,
        "server": _servers,
        "sr": _issues,
        "agent": _agents,
        "action": _actions,
    }[about]
    return tuple(find(board, person, line, reading))[:_MAX]


def chosen_command(line: ReadLine, value: str) -> Command | None:
    """Return the command of a chosen action, or `None` if the line must be read again."""
    if line.command.params.get("about") != "action":
        return None
    params = {"about": "sr"} if value == "query" else {}
    return Command(value, line.command.sr_id, None, params)


def _people(
    _board: BoardContext, person: PersonInfo, line: ReadLine, reading: LineReading
) -> Iterable[Option]:
    if person.role == "customer":
        return []
    if reading.commands("escalate") and not reading.has("UOP"):
        return [Option(role, t(f"org.role.{role}")) for role in _SUPERIORS]
    ids = [i for mark in reading.compact.all("U") for i in mark.value]
    ids += [i for mark in reading.compact.all("O") for i in mark.value[1]]
    ids = ids or [p.id for p in line.names.people.values() if p.role == "engineer"]
    return [Option(i, _called(line, i)) for i in dict.fromkeys(ids)]


def _called(line: ReadLine, person_id: str) -> str:
    """Return name and title, with the skills that tell people of one name apart."""
    person = line.names.people[person_id]
    skills = f" ({', '.join(person.skills)})" if person.skills else ""
    return target_name(line.names, person_id) + skills


def _servers(
    board: BoardContext, person: PersonInfo, line: ReadLine, reading: LineReading
) -> Iterable[Option]:
    found = servers(reading)
    institution = reading.first("I")
    hosts = line.names.directory.servers
    if not found and institution is not None:
        found = [h.server_id for h in hosts if h.institution == institution]
    if not found and line.situation.sr_id is not None:
        found = _servers_of(board, person, line.situation.sr_id)
    if person.role == "customer":
        own = {h.server_id for h in hosts if h.institution == person.institution}
        found = [s for s in found if s in own]
    return [Option(s, s) for s in found]


def _servers_of(board: BoardContext, person: PersonInfo, sr_id: int) -> list[str]:
    query = (
        select(Task.target_server)
        .join(Issue, Issue.sr_id == Task.sr_id)
        .where(Task.sr_id == sr_id, Task.target_server.is_not(None), visible_to(person))
        .order_by(Task.task_id)
    )
    with board.database.reading() as session:
        return list(dict.fromkeys(str(s) for s in session.scalars(query)))


def _issues(
    board: BoardContext, person: PersonInfo, line: ReadLine, reading: LineReading
) -> Iterable[Option]:
    numbers = list(reading.numbers)
    if line.situation.sr_id is not None and line.situation.sr_id not in numbers:
        numbers.append(line.situation.sr_id)
    own = or_(
        Issue.requester_id == person.id,
        Issue.assignee_id == person.id,
        Issue.sr_id.in_(select(Task.sr_id).where(Task.plan_author == str(Actor.person(person.id)))),
    )
    wanted = Issue.sr_id.in_(numbers) if numbers else own & Issue.status.in_(OPEN_STATES)
    query = select(Issue.sr_id, Issue.title).where(wanted, visible_to(person))
    with board.database.reading() as session:
        rows = session.execute(query.order_by(Issue.sr_id.desc()).limit(_MAX)).all()
    return [Option(str(sr_id), f"{issue_ref(sr_id)} {title[:30]}") for sr_id, title in rows]


def _agents(
    _board: BoardContext, person: PersonInfo, line: ReadLine, _reading: LineReading
) -> Iterable[Option]:
    if person.role == "customer":
        return []
    return [Option(a.id, a.title) for a in line.names.directory.agents]


def _actions(
    _board: BoardContext, _person: PersonInfo, _line: ReadLine, _reading: LineReading
) -> Iterable[Option]:
    return [Option(name, t(f"commands.act.{name}")) for name in _ACTIONS]
