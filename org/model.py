"""Tables of the organization and its servers (CMDB)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base
from guardia.org.directory import PersonInfo

_EMPTY_LIST = text("'[]'")
_EMPTY_OBJECT = text("'{}'")


class Institution(Base):
    """A public institution that is served."""

    __tablename__ = "tb_inst_meta"

    inst_id: Mapped[str] = mapped_column(primary_key=True)
    inst_name: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)


class Server(Base):
    """A server, how to reach it, and the services on it."""

    __tablename__ = "tb_server_info"
    __table_args__ = (Index("ix_tb_server_info_groups", "groups", postgresql_using="gin"),)

    server_id: Mapped[str] = mapped_column(primary_key=True)
    inst_id: Mapped[str] = mapped_column(ForeignKey("tb_inst_meta.inst_id"), index=True)
    kind: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    address: Mapped[str] = mapped_column(default="", server_default="")
    port: Mapped[int] = mapped_column(default=22, server_default=text("22"))
    account: Mapped[str] = mapped_column(default="", server_default="")
    host_key: Mapped[str] = mapped_column(default="", server_default="")
    credential: Mapped[str] = mapped_column(default="", server_default="")
    login: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT)
    blocked: Mapped[str] = mapped_column(default="", server_default="")
    groups: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    services: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=_EMPTY_LIST)


class DirectoryRevision(Base):
    """The last change of institutions or servers, as a number; triggers of both tables set it."""

    __tablename__ = "tb_directory_revision"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    revision: Mapped[int]


class PeopleRevision(Base):
    """The last change of the names of people or agents, as a number; triggers set it."""

    __tablename__ = "tb_people_revision"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    revision: Mapped[int]


class Person(Base):
    """A person's account. `role` is one of `org.access.ROLES`."""

    __tablename__ = "tb_person"
    __table_args__ = (
        Index("ix_tb_person_human", text("coalesce(identity, person_id)")),
        Index("ix_tb_person_role", "role", "person_id"),
        Index("ix_tb_person_inst_id", "inst_id", "person_id"),
    )

    person_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    role: Mapped[str]
    inst_id: Mapped[str | None] = mapped_column(ForeignKey("tb_inst_meta.inst_id"))
    skills: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    password_hash: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    identity: Mapped[str | None]
    """The human behind the account, such as a staff number; `None`: a human of its own."""
    skill_levels: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT)
    """Proficiency (1 to 5) of those `skills` for which one was entered."""

    def as_info(self) -> PersonInfo:
        """Return the person as a value."""
        return person_info(*(getattr(self, column.key) for column in INFO_COLUMNS))


INFO_COLUMNS = (
    Person.person_id,
    Person.name,
    Person.title,
    Person.role,
    Person.skills,
    Person.inst_id,
    Person.identity,
)
"""Columns of a person as a value, for statements that need no more of it."""


def person_info(
    person_id: str,
    name: str,
    title: str,
    role: str,
    skills: list[str],
    institution: str | None,
    identity: str | None,
) -> PersonInfo:
    """Return a person from the values of `INFO_COLUMNS`."""
    return PersonInfo(
        id=person_id,
        name=name,
        title=title,
        role=role,
        skills=tuple(skills),
        institution=institution,
        identity=identity,
    )


class ChannelAccount(Base):
    """Owner of a messenger account; `account` is the messenger's own user id."""

    __tablename__ = "tb_channel_account"

    channel: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"), index=True)
    linked_by: Mapped[str]
    linked_at: Mapped[datetime]


class LinkCode(Base):
    """A one-time code that proves ownership of a messenger account; only its hash is stored."""

    __tablename__ = "tb_link_code"

    person_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]


class AuthAttempt(Base):
    """One sign-in attempt; `key` is a hash of who tried from where."""

    __tablename__ = "tb_attempt"
    __table_args__ = (Index("ix_tb_attempt_key", "key", "tried_at"),)

    attempt_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str]
    tried_at: Mapped[datetime] = mapped_column(index=True)


class KnownDevice(Base):
    """A device on which a person has signed in; only the hash of its secret is stored."""

    __tablename__ = "tb_known_device"

    device_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"), index=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]


class SystemOwner(Base):
    """A person's responsibility for one server: the skill, and the proficiency (1 to 5)."""

    __tablename__ = "tb_system_owner"
    __table_args__ = (
        CheckConstraint("proficiency between 1 and 5", name="proficiency"),
        CheckConstraint("duty in ('primary', 'deputy')", name="duty"),
    )

    owner_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"), primary_key=True)
    server_id: Mapped[str] = mapped_column(
        ForeignKey("tb_server_info.server_id"), primary_key=True, index=True
    )
    skill: Mapped[str] = mapped_column(primary_key=True)
    proficiency: Mapped[int]
    duty: Mapped[str] = mapped_column(default="primary", server_default="primary")


class OwnerScope(Base):
    """A responsibility of a team, or of a person for a whole institution or group of servers."""

    __tablename__ = "tb_owner_scope"
    __table_args__ = (
        CheckConstraint("scope in ('server', 'institution', 'group')", name="scope"),
        CheckConstraint("proficiency between 1 and 5", name="proficiency"),
        CheckConstraint("duty in ('primary', 'deputy')", name="duty"),
        CheckConstraint("(owner_id is null) <> (team_id is null)", name="owner"),
        Index("ix_tb_owner_scope_target", "scope", "target"),
    )

    owner: Mapped[str] = mapped_column(primary_key=True)
    """The person's id, or `team:` and the team's id."""
    scope: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("tb_person.person_id"))
    team_id: Mapped[str | None] = mapped_column(ForeignKey("tb_team.team_id"))
    proficiency: Mapped[int]
    duty: Mapped[str] = mapped_column(default="primary", server_default="primary")


class Team(Base):
    """People who are responsible together."""

    __tablename__ = "tb_team"

    team_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    inst_id: Mapped[str | None] = mapped_column(ForeignKey("tb_inst_meta.inst_id"))
    lead_id: Mapped[str] = mapped_column(default="", server_default="")


class TeamMember(Base):
    """A person of a team."""

    __tablename__ = "tb_team_member"

    team_id: Mapped[str] = mapped_column(
        ForeignKey("tb_team.team_id", ondelete="CASCADE"), primary_key=True
    )
    person_id: Mapped[str] = mapped_column(
        ForeignKey("tb_person.person_id"), primary_key=True, index=True
    )


class Delegation(Base):
    """A person's decisions, delegated to another person for a time; or only an absence."""

    __tablename__ = "tb_delegation"
    __table_args__ = (
        CheckConstraint("begins_at < ends_at", name="order"),
        CheckConstraint("principal_id <> delegate_id", name="persons"),
        CheckConstraint("absent or delegate_id is not null", name="delegate"),
        Index(
            "ix_tb_delegation_delegate_id",
            "delegate_id",
            "ends_at",
            postgresql_where=text("revoked_at is null"),
        ),
        Index(
            "ix_tb_delegation_principal_id",
            "principal_id",
            "ends_at",
            postgresql_where=text("revoked_at is null"),
        ),
    )

    delegation_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    principal_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"))
    delegate_id: Mapped[str | None] = mapped_column(ForeignKey("tb_person.person_id"))
    """`None`: an absence without a substitute."""
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    absent: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the principal is away: then only the delegate is notified."""
    reason: Mapped[str] = mapped_column(default="", server_default="")
    """Why the principal is away, such as a vacation."""
    set_by: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class OrgRevision(Base):
    """One applied org chart, as it was written."""

    __tablename__ = "tb_org_revision"

    revision: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    chart: Mapped[str]
    sha256: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[datetime]


class Agent(Base):
    """An agent as the applied chart defines it; `spec` is its whole entry."""

    __tablename__ = "tb_agent"
    __table_args__ = (CheckConstraint("state in ('active', 'paused', 'fired')", name="state"),)

    agent_id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    duty: Mapped[str]
    reports_to: Mapped[str | None]
    skills: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY_OBJECT)
    state: Mapped[str] = mapped_column(default="active", server_default="active")
    revision: Mapped[int]

    @property
    def adapter(self) -> str | None:
        """The kind of external agent; `None` if it is a built-in one."""
        found = self.spec.get("adapter")
        return str(found["kind"]) if found else None


class AccessToken(Base):
    """A token for a person's own programs; only the hash of its secret is stored."""

    __tablename__ = "tb_access_token"
    __table_args__ = (
        Index("ix_tb_access_token_person_id", "person_id", text("token_id desc")),
        Index(
            "ix_tb_access_token_live",
            text("token_id desc"),
            postgresql_where=text("revoked_at is null"),
        ),
    )

    token_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"))
    name: Mapped[str]
    rights: Mapped[list[str]] = mapped_column(default=list, server_default=_EMPTY_LIST)
    """The only actions of the permission table that it permits."""
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class LoginSession(Base):
    """A signed-in browser or command line; only the hash of its token is stored."""

    __tablename__ = "tb_session"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("tb_person.person_id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    session_id: Mapped[int] = mapped_column(Identity(always=True), unique=True)
    """Its number for people; the token's hash is never shown."""
    used_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    """When the person last did something, exact to a minute."""
    source: Mapped[str] = mapped_column(default="", server_default="")
    agent: Mapped[str] = mapped_column(default="", server_default="")
    """The browser, as it names itself."""
    previous_at: Mapped[datetime | None]
    """The sign-in before this one, from where, and the failures between both."""
    previous_from: Mapped[str] = mapped_column(default="", server_default="")
    failures: Mapped[int] = mapped_column(default=0, server_default=text("0"))
