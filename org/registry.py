"""Reading the organization's tables as values, and seeding a new installation."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from guardia.db.statement import Statement
from guardia.errors import NotFound
from guardia.org import access
from guardia.org.directory import (
    AgentInfo,
    Directory,
    Facts,
    Host,
    InstitutionInfo,
    Login,
    OwnerInfo,
    PersonInfo,
    Service,
)
from guardia.org.model import (
    Agent,
    DirectoryRevision,
    Institution,
    OwnerScope,
    PeopleRevision,
    Person,
    Server,
    SystemOwner,
)

_AUDITORS = Statement(
    select(Agent.agent_id)
    .where(Agent.duty == "audit", Agent.state == "active")
    .order_by(Agent.agent_id)
)
_DISPATCHER = Statement(
    select(Agent.agent_id)
    .where(Agent.duty == "dispatch", Agent.state != "fired")
    .order_by(Agent.state, Agent.agent_id)
    .limit(1)
)
_DUTY = Statement(select(Agent.duty).where(Agent.agent_id == bindparam("agent")))
_CLASS = Statement(
    select(Server.inst_id, Server.kind).where(Server.server_id == bindparam("server"))
)


def host_of(row: Server) -> Host:
    """Return a row as a value."""
    return Host(
        server_id=row.server_id,
        institution=row.inst_id,
        kind=row.kind,
        aliases=tuple(row.aliases),
        groups=tuple(row.groups),
        address=row.address,
        port=row.port,
        account=row.account,
        host_key=row.host_key,
        credential=row.credential,
        login=Login.model_validate(row.login),
        facts=Facts.model_validate(row.facts),
        blocked=row.blocked,
        services=tuple(Service.model_validate(s) for s in row.services),
    )


def host(session: Session, server_id: str) -> Host:
    """Return one server as the tools need it. Raises `NotFound` if the CMDB has none."""
    row = session.get(Server, server_id)
    if row is None:
        raise NotFound(what=server_id)
    return host_of(row)


def hosts(session: Session, server_ids: Collection[str]) -> dict[str, Host]:
    """Return the servers of these ids, as far as the CMDB has them."""
    rows = session.scalars(select(Server).where(Server.server_id.in_(server_ids)))
    return {row.server_id: host_of(row) for row in rows}


def directory_revision(session: Session) -> int:
    """Return the number of the last change of institutions and servers; 0 before the first."""
    return session.scalar(select(DirectoryRevision.revision)) or 0


def systems(session: Session) -> Directory:
    """Return institutions and servers in a fixed order."""
    servers = session.scalars(select(Server).order_by(Server.server_id))
    return Directory(
        institutions=_institutions(session),
        servers=tuple(host_of(s) for s in servers),
    )


def _institutions(session: Session) -> tuple[InstitutionInfo, ...]:
    rows = session.scalars(select(Institution).order_by(Institution.inst_id))
    return tuple(
        InstitutionInfo(id=i.inst_id, name=i.inst_name, aliases=tuple(i.aliases)) for i in rows
    )


def directory(session: Session) -> Directory:
    """Return all names in a fixed order, so that equal tables give equal directories."""
    found = systems(session)
    return Directory(
        institutions=found.institutions,
        servers=found.servers,
        people=_people(session),
        agents=_agents(session),
    )


def _people(session: Session) -> tuple[PersonInfo, ...]:
    rows = session.scalars(select(Person).where(Person.active).order_by(Person.person_id))
    return tuple(p.as_info() for p in rows)


def _agents(session: Session) -> tuple[AgentInfo, ...]:
    rows = session.scalars(select(Agent).where(Agent.state != "fired").order_by(Agent.agent_id))
    return tuple(AgentInfo(id=a.agent_id, title=a.title, aliases=tuple(a.aliases)) for a in rows)


def names_revision(session: Session) -> tuple[int, int]:
    """Return the numbers of the last changes of systems, and of people and agents."""
    people = select(PeopleRevision.revision).scalar_subquery()
    found = session.execute(select(DirectoryRevision.revision, people)).one_or_none()
    return (found[0], found[1] or 0) if found else (0, 0)


def names(session: Session) -> Directory:
    """Return `directory` with nothing of a server but its names, institution and kind."""
    columns = Server.server_id, Server.inst_id, Server.kind, Server.aliases
    servers = session.execute(select(*columns).order_by(Server.server_id))
    return Directory(
        institutions=_institutions(session),
        servers=tuple(
            Host(server_id=one, institution=inst, kind=kind, aliases=tuple(aliases))
            for one, inst, kind, aliases in servers
        ),
        people=_people(session),
        agents=_agents(session),
    )


def institution_ids(session: Session) -> list[str]:
    """Return the ids of all institutions."""
    return list(session.scalars(select(Institution.inst_id).order_by(Institution.inst_id)))


def institution_of(session: Session, server_id: str | None) -> str | None:
    """Return the institution of a server, or `None` if the server or its institution is unknown."""
    return class_of(session, server_id)[0]


def duty_of(session: Session, agent_id: str | None) -> str | None:
    """Return the duty of an agent, or `None` if there is none."""
    found: str | None = _DUTY.first(session, {"agent": agent_id}) if agent_id else None
    return found


def class_of(session: Session, server_id: str | None) -> tuple[str | None, str | None]:
    """Return institution and kind of a server, `None` for what is unknown.

    A transaction reads it once: a use case that asks several times has one answer.
    """
    place = f"server:{server_id}"
    known: tuple[str | None, str | None] | None = session.info.get(place)
    if known is None:
        row = _CLASS.run(session, {"server": server_id}).fetchone()
        session.info[place] = known = (row[0], row[1]) if row is not None else (None, None)
    return known


def dispatcher(session: Session) -> str | None:
    """Return the agent that receives new issues, or `None` before a chart is applied.

    A paused dispatcher is found too: its issues wait for it.
    """
    found: str | None = _DISPATCHER.first(session)
    return found


def agent_names(session: Session) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each active agent's id with all names it is called by."""
    query = select(Agent.agent_id, Agent.title, Agent.aliases).where(Agent.state == "active")
    rows = session.execute(query.order_by(Agent.agent_id))
    return tuple((agent, (agent, title, *aliases)) for agent, title, aliases in rows)


def auditors(session: Session) -> list[str]:
    """Return the agents that verify the audit log."""
    return [agent_id for (agent_id,) in _AUDITORS.run(session)]


def enrol(session: Session, names: Directory, passwords: dict[str, str] | None = None) -> None:
    """Write institutions, servers and people into the CMDB, replacing existing rows.

    `passwords` are set for accounts that have none. Owners are those that `names` lists.
    """
    for i in names.institutions:
        session.merge(Institution(inst_id=i.id, inst_name=i.name, aliases=list(i.aliases)))
    session.flush()
    for h in names.servers:
        session.merge(server_row(h))
    for p in names.people:
        _enrol_person(session, p, (passwords or {}).get(p.id))
    session.flush()
    for owner in names.owners:
        session.merge(_owner(owner))


def _owner(value: OwnerInfo) -> SystemOwner | OwnerScope:
    """Return the row of a responsibility: one person for one server, or a wider one."""
    common = {"skill": value.skill, "proficiency": value.proficiency, "duty": value.duty}
    if value.person and value.server:
        return SystemOwner(owner_id=value.person, server_id=value.server, **common)
    return OwnerScope(
        owner=value.owner,
        scope=value.scope,
        target=value.target,
        owner_id=value.person or None,
        team_id=value.team or None,
        **common,
    )


def server_row(value: Host) -> Server:
    """Return a value as a new row."""
    row = Server(server_id=value.server_id)
    fill_server(row, value)
    return row


def fill_server(row: Server, value: Host) -> None:
    """Write a value into its row."""
    row.inst_id, row.kind, row.aliases = value.institution, value.kind, list(value.aliases)
    row.groups = list(value.groups)
    row.address, row.port, row.account = value.address, value.port, value.account
    row.host_key, row.credential, row.blocked = value.host_key, value.credential, value.blocked
    row.login = value.login.model_dump(mode="json", exclude_defaults=True)
    row.facts = value.facts.model_dump(mode="json", exclude_defaults=True)
    row.services = [s.model_dump(mode="json", exclude_defaults=True) for s in value.services]


def _enrol_person(session: Session, value: PersonInfo, password: str | None) -> None:
    row = session.get(Person, value.id) or Person(person_id=value.id)
    row.name, row.title, row.role = value.name, value.title, value.role
    row.inst_id, row.skills = value.institution, list(value.skills)
    row.identity = value.identity or row.identity
    session.add(row)
    session.flush()
    if password is not None and row.password_hash is None:
        access.set_password(session, value.id, password)
