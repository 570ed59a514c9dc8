"""The tables behind the CMDB's entries: read them as values by key, write many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, bindparam, column, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.cmdb.history_model import Duty, DutyException
from guardia.board.cmdb.records import (
    DAYS,
    SEOUL,
    DutyExceptionRecord,
    OwnerRecord,
    SkillRecord,
    record_key,
)
from guardia.db.base import Base
from guardia.db.columns import CleanJsonb
from guardia.org.directory import Host, InstitutionInfo, Login, Service
from guardia.org.model import (
    Institution,
    OwnerScope,
    Person,
    Server,
    SystemOwner,
    Team,
    TeamMember,
)

Values = dict[str, Any]
_BATCH = 2000
"""Rows of one statement."""


@dataclass(frozen=True, slots=True)
class _Store:
    """How entries of one kind are read, written and removed."""

    load: Callable[[Session], dict[str, Values]]
    write: Callable[[Session, Sequence[Values]], None]
    remove: Callable[[Session, Sequence[Values]], None]


def load(session: Session, kind: str) -> dict[str, Values]:
    """Return all entries of a kind, as values by key."""
    return _STORES[kind].load(session)


def write(session: Session, kind: str, entries: Sequence[Values]) -> None:
    """Write new and changed entries."""
    if entries:
        _STORES[kind].write(session, entries)


def remove(session: Session, kind: str, entries: Sequence[Values]) -> None:
    """Remove entries."""
    if entries:
        _STORES[kind].remove(session, entries)


def _compact(values: Values, **defaults: Any) -> Values:
    """Return values without those that are empty or as by default."""
    return {
        name: value
        for name, value in values.items()
        if value not in (None, "", [], {}) and defaults.get(name) != value
    }


def upsert(
    session: Session, model: type[Base], keys: Sequence[str], rows: Sequence[Values]
) -> None:
    """Insert or replace rows: one statement for each batch."""
    table = model.__table__
    assert isinstance(table, Table)
    names = list(rows[0])
    source = (
        func.jsonb_to_recordset(bindparam("rows", type_=CleanJsonb()))
        .table_valued(*(column(name, table.c[name].type) for name in names))
        .render_derived(name="given", with_types=True)
    )
    new = insert(table).from_select(names, select(*(source.c[name] for name in names)))
    others = {name: new.excluded[name] for name in names if name not in keys}
    statement = (
        new.on_conflict_do_update(index_elements=list(keys), set_=others)
        if others
        else new.on_conflict_do_nothing()
    )
    for first in range(0, len(rows), _BATCH):
        session.execute(statement, {"rows": rows[first : first + _BATCH]})


def _delete(session: Session, model: type[Base], name: str, keys: Iterable[str]) -> None:
    found = list(keys)
    attribute = getattr(model, name)
    for first in range(0, len(found), _BATCH):
        session.execute(delete(model).where(attribute.in_(found[first : first + _BATCH])))


# --- institutions and servers -----------------------------------------------------------------


def _institutions(session: Session) -> dict[str, Values]:
    i = Institution
    return {
        id_: _compact({"id": id_, "name": name, "aliases": aliases})
        for id_, name, aliases in session.execute(select(i.inst_id, i.inst_name, i.aliases))
    }


def _write_institutions(session: Session, entries: Sequence[Values]) -> None:
    rows = [
        {"inst_id": e["id"], "inst_name": e["name"], "aliases": e.get("aliases", [])}
        for e in entries
    ]
    upsert(session, Institution, ["inst_id"], rows)


def server_values(host: Host) -> Values:
    """Return a server as its entry, without what the product finds out itself."""
    shown = host.model_dump(mode="json", exclude_defaults=True, exclude={"facts", "blocked"})
    return {"id": shown.pop("server_id"), **shown}


def institution_values(value: InstitutionInfo) -> Values:
    """Return an institution as its entry."""
    return value.model_dump(mode="json", exclude_defaults=True)


_PLAIN = ("kind", "aliases", "groups", "address", "port", "account", "host_key", "credential")
_SERVER_DEFAULTS: Values = {
    "aliases": [],
    "groups": [],
    "services": [],
    **dict.fromkeys(("address", "account", "host_key", "credential"), ""),
    "port": 22,
    "login": {},
}


def _servers(session: Session) -> dict[str, Values]:
    names = ("server_id", "inst_id", *_PLAIN, "login", "services")
    query = select(*(getattr(Server, name) for name in names))
    return {row.server_id: _server_values(row) for row in session.execute(query)}


def _server_values(row: Any) -> Values:
    plain = {name: getattr(row, name) for name in _PLAIN}
    services = [
        Service.model_validate(s).model_dump(mode="json", exclude_defaults=True)
        for s in row.services
    ]
    login = (
        Login.model_validate(row.login).model_dump(mode="json", exclude_defaults=True)
        if row.login
        else {}
    )
    found = {"id": row.server_id, "institution": row.inst_id, **plain}
    return _compact(found | {"login": login, "services": services}, port=22)


def _write_servers(session: Session, entries: Sequence[Values]) -> None:
    rows = []
    for entry in entries:
        values = {**_SERVER_DEFAULTS, **entry}
        rows.append(
            {
                "server_id": values["id"],
                "inst_id": values["institution"],
                **{name: values[name] for name in (*_PLAIN, "login", "services")},
            }
        )
    upsert(session, Server, ["server_id"], rows)


# --- people -----------------------------------------------------------------------------------


def _teams(session: Session) -> dict[str, Values]:
    members: dict[str, list[str]] = {}
    pairs = select(TeamMember.team_id, TeamMember.person_id).order_by(TeamMember.person_id)
    for team, person in session.execute(pairs):
        members.setdefault(team, []).append(person)
    return {
        team.team_id: _compact(
            {
                "id": team.team_id,
                "name": team.name,
                "institution": team.inst_id,
                "members": members.get(team.team_id, []),
                "lead": team.lead_id,
            }
        )
        for team in session.scalars(select(Team))
    }


def _write_teams(session: Session, entries: Sequence[Values]) -> None:
    rows = [
        {
            "team_id": e["id"],
            "name": e["name"],
            "inst_id": e.get("institution"),
            "lead_id": e.get("lead", ""),
        }
        for e in entries
    ]
    upsert(session, Team, ["team_id"], rows)
    _delete(session, TeamMember, "team_id", (e["id"] for e in entries))
    members = [
        {"team_id": e["id"], "person_id": person}
        for e in entries
        for person in dict.fromkeys(e.get("members", []))
    ]
    if members:
        upsert(session, TeamMember, ["team_id", "person_id"], members)


def _skills(session: Session) -> dict[str, Values]:
    query = select(Person.person_id, Person.skills, Person.skill_levels)
    found = [
        {"person": person, "skill": skill, "proficiency": levels[skill]}
        for person, skills, levels in session.execute(query)
        for skill in skills
        if skill in levels
    ]
    return {record_key(SkillRecord.KEYS, e): e for e in found}


def _write_skills(session: Session, entries: Sequence[Values]) -> None:
    for person, own in _by_person(entries).items():
        row = session.get_one(Person, person)
        row.skills = list(dict.fromkeys([*row.skills, *(e["skill"] for e in own)]))
        row.skill_levels = row.skill_levels | {e["skill"]: e["proficiency"] for e in own}
    session.flush()


def _remove_skills(session: Session, entries: Sequence[Values]) -> None:
    for person, own in _by_person(entries).items():
        row, gone = session.get_one(Person, person), {e["skill"] for e in own}
        row.skills = [skill for skill in row.skills if skill not in gone]
        row.skill_levels = {k: v for k, v in row.skill_levels.items() if k not in gone}
    session.flush()


def _by_person(entries: Iterable[Values]) -> dict[str, list[Values]]:
    found: dict[str, list[Values]] = {}
    for entry in entries:
        found.setdefault(entry["person"], []).append(entry)
    return found


def _owners(session: Session) -> dict[str, Values]:
    found = [
        {"person": o.owner_id, "server": o.server_id, **_mastery(o)}
        for o in session.scalars(select(SystemOwner))
    ]
    found += [
        {"person": o.owner_id or "", "team": o.team_id or "", o.scope: o.target, **_mastery(o)}
        for o in session.scalars(select(OwnerScope))
    ]
    compact = (_compact(entry, duty="primary") for entry in found)
    return {record_key(OwnerRecord.KEYS, entry): entry for entry in compact}


def _mastery(row: SystemOwner | OwnerScope) -> Values:
    return {"skill": row.skill, "proficiency": row.proficiency, "duty": row.duty}


def _is_direct(entry: Values) -> bool:
    """Return whether it is one person for one server."""
    return bool(entry.get("person") and entry.get("server"))


def _owner_row(entry: Values) -> Values:
    common = {
        "skill": entry["skill"],
        "proficiency": entry["proficiency"],
        "duty": entry.get("duty", "primary"),
    }
    if _is_direct(entry):
        return {"owner_id": entry["person"], "server_id": entry["server"], **common}
    scope = next(name for name in ("server", "institution", "group") if entry.get(name))
    return {
        "owner": entry.get("person") or f"team:{entry['team']}",
        "scope": scope,
        "target": entry[scope],
        "owner_id": entry.get("person"),
        "team_id": entry.get("team"),
        **common,
    }


_OWNER_TABLES: tuple[tuple[type[SystemOwner | OwnerScope], tuple[str, ...], bool], ...] = (
    (SystemOwner, ("owner_id", "server_id", "skill"), True),
    (OwnerScope, ("owner", "scope", "target", "skill"), False),
)


def _write_owners(session: Session, entries: Sequence[Values]) -> None:
    for model, keys, direct in _OWNER_TABLES:
        rows = [_owner_row(e) for e in entries if _is_direct(e) is direct]
        if rows:
            upsert(session, model, keys, rows)


def _remove_owners(session: Session, entries: Sequence[Values]) -> None:
    for model, keys, direct in _OWNER_TABLES:
        rows = [_owner_row(e) for e in entries if _is_direct(e) is direct]
        if rows:
            given = [{f"b_{key}": row[key] for key in keys} for row in rows]
            matching = [getattr(model, key) == bindparam(f"b_{key}") for key in keys]
            session.connection().execute(delete(model.__table__).where(*matching), given)  # type: ignore[arg-type]


# --- duty roster ------------------------------------------------------------------------------


def _duties(session: Session) -> dict[str, Values]:
    return {
        d.duty_id: _compact(
            {
                "id": d.duty_id,
                "field": d.field,
                "institution": d.inst_id,
                "person": d.person_id,
                "team": d.team_id,
                "days": d.days,
                **{n: getattr(d, n) for n in _DUTY_PLAIN},
            },
            days=list(DAYS),
            zone=SEOUL,
            holidays="as_usual",
        )
        for d in session.scalars(select(Duty))
    }


_DUTY_PLAIN = ("begins", "ends", "zone", "holidays", "since", "until")
_DUTY_DEFAULTS = {"zone": SEOUL, "holidays": "as_usual", "since": "", "until": ""}


def _write_duties(session: Session, entries: Sequence[Values]) -> None:
    rows = [
        {
            "duty_id": e["id"],
            "field": e["field"],
            "inst_id": e.get("institution"),
            "person_id": e.get("person"),
            "team_id": e.get("team"),
            "days": e.get("days", list(DAYS)),
            **{name: (_DUTY_DEFAULTS | e)[name] for name in _DUTY_PLAIN},
        }
        for e in entries
    ]
    upsert(session, Duty, ["duty_id"], rows)


def _exceptions(session: Session) -> dict[str, Values]:
    found = [
        _compact(
            {
                "duty": e.duty_id,
                "first_day": e.first_day,
                "last_day": e.last_day,
                "person": e.person_id,
                "reason": e.reason,
            }
        )
        for e in session.scalars(select(DutyException))
    ]
    return {record_key(DutyExceptionRecord.KEYS, e): e for e in found}


def _write_exceptions(session: Session, entries: Sequence[Values]) -> None:
    rows = [
        {
            "duty_id": e["duty"],
            "first_day": e["first_day"],
            "last_day": e.get("last_day", ""),
            "person_id": e.get("person"),
            "reason": e.get("reason", ""),
        }
        for e in entries
    ]
    upsert(session, DutyException, ["duty_id", "first_day"], rows)


def _remove_exceptions(session: Session, entries: Sequence[Values]) -> None:
    for e in entries:
        which = (DutyException.duty_id == e["duty"], DutyException.first_day == e["first_day"])
        session.execute(delete(DutyException).where(*which))


def _removal(model: type[Base], name: str) -> Callable[[Session, Sequence[Values]], None]:
    return lambda session, entries: _delete(session, model, name, (e["id"] for e in entries))


_STORES = {
    "institution": _Store(_institutions, _write_institutions, _removal(Institution, "inst_id")),
    "server": _Store(_servers, _write_servers, _removal(Server, "server_id")),
    "team": _Store(_teams, _write_teams, _removal(Team, "team_id")),
    "skill": _Store(_skills, _write_skills, _remove_skills),
    "owner": _Store(_owners, _write_owners, _remove_owners),
    "duty": _Store(_duties, _write_duties, _removal(Duty, "duty_id")),
    "duty_exception": _Store(_exceptions, _write_exceptions, _remove_exceptions),
}
