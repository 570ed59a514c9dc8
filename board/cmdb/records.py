"""Entries of the CMDB as people write them: in files, in commands and in the history. Pure.

What the product finds out itself (facts, a block) is in none of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from guardia.board.cmdb import policy
from guardia.errors import Invalid
from guardia.org import host_key
from guardia.org.directory import Host, InstitutionInfo, Login, OwnerInfo, Service
from guardia.text import CleanStr, Name, clean_json, fold

_ID = re.compile(r"[0-9A-Za-z가-힣][0-9A-Za-z가-힣._-]{0,63}")
_Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[_Day, ...] = get_args(_Day)
SEOUL = "Asia/Seoul"
_MAX_LIST = 200


def fault(key: str, **values: object) -> PydanticCustomError:
    """Return a validation error whose texts are `imports.bad.<key>`."""
    return PydanticCustomError(key, key, values)


def _host_key(value: str) -> str:
    try:
        return host_key.normalized(value) if value.strip() else ""
    except Invalid:
        raise fault("host_key", value=value[:40]) from None


def _some(value: str) -> str:
    if not value:
        raise fault("empty")
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError:
        raise fault("date", value=value[:40]) from None


def _in_week_order(days: tuple[_Day, ...]) -> tuple[_Day, ...]:
    return tuple(day for day in DAYS if day in days)


def _clock(value: str) -> str:
    hour, _, rest = value.strip().partition(":")
    try:
        if value.strip() == "24:00":
            return "24:00"
        return time.fromisoformat(f"{int(hour):02}:{rest or '00'}").strftime("%H:%M")
    except ValueError:
        raise fault("clock", value=value[:40]) from None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise fault("zone", value=value[:40]) from None
    return value


def _checked_id(value: str) -> str:
    found = fold(value).strip()
    if not _ID.fullmatch(found):
        raise fault("id", value=found[:80])
    return found


Id = Annotated[CleanStr, AfterValidator(_checked_id)]
MaybeId = Annotated[CleanStr, AfterValidator(lambda v: _checked_id(v) if v.strip() else "")]
Visible = Annotated[Name, Field(max_length=200), AfterValidator(_some)]
HostKey = Annotated[CleanStr, AfterValidator(_host_key)]
_Folded = Annotated[CleanStr, AfterValidator(lambda value: fold(value).strip())]
Day = Annotated[CleanStr, AfterValidator(_day)]
Clock = Annotated[CleanStr, AfterValidator(_clock)]
Level = Annotated[int, Field(ge=1, le=5)]
Skill = Annotated[Name, Field(max_length=64), AfterValidator(_some)]
_Names = Annotated[tuple[Visible, ...], Field(max_length=_MAX_LIST)]


class Record(BaseModel):
    """One entry: `KIND` and `key` identify it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    KIND: ClassVar[str]
    KEYS: ClassVar[tuple[str, ...]]
    """Fields that identify an entry, and whose absence or emptiness is part of the identity."""

    @property
    def key(self) -> str:
        """The identity within its kind."""
        return record_key(self.KEYS, self.model_dump(include=set(self.KEYS)))

    def as_values(self) -> dict[str, Any]:
        """Return the values that differ from the defaults, as JSON, with the key."""
        return self.model_dump(mode="json", exclude_defaults=True)


def record_key(keys: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Return the identity that these values have or would have."""
    words = {name: fold(str(values[name])).strip() for name in keys if values.get(name)}
    if keys == ("id",):
        return words.get("id", "")
    return " ".join(f"{name}={word}" for name, word in words.items())


class InstitutionRecord(Record):
    """A public institution."""

    KIND = "institution"
    KEYS = ("id",)

    id: Id
    name: Visible
    aliases: _Names = ()

    @model_validator(mode="after")
    def _follows_the_rules(self) -> Self:
        given = InstitutionInfo(id=self.id, name=self.name, aliases=self.aliases)
        _apply(partial(policy.validated_institution, given))
        return self


def _apply(rule: Callable[[], object]) -> None:
    """Apply a rule of the CMDB. Raises the error of a bad line."""
    try:
        rule()
    except Invalid as error:
        raise fault("rule", value=error.detail["what"], why=error.detail["why"]) from None


class ServiceRecord(Service):
    """A service as it may be entered."""

    port: Annotated[int | None, Field(ge=1, le=65535)] = None


class LoginRecord(Login):
    """How to sign in, as it may be entered."""

    host_ca: HostKey = ""


class ServerRecord(Record):
    """A server without its facts."""

    KIND = "server"
    KEYS = ("id",)

    id: Id
    institution: Id
    kind: _Folded
    aliases: _Names = ()
    groups: _Names = ()
    address: _Folded = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    account: CleanStr = ""
    host_key: HostKey = ""
    credential: _Folded = ""
    login: Annotated[LoginRecord, BeforeValidator(clean_json)] = LoginRecord()
    services: Annotated[
        tuple[ServiceRecord, ...], BeforeValidator(clean_json), Field(max_length=_MAX_LIST)
    ] = ()

    @model_validator(mode="after")
    def _follows_the_rules(self) -> Self:
        """Apply the rules of single servers; an imported one may be without account and key."""
        given = {name: getattr(self, name) for name in ("kind", "aliases", "port", "services")}
        host = Host(
            server_id=self.id,
            institution=self.institution,
            address=self.address or "localhost",
            account=self.account or "account",
            credential=self.credential or "credential",
            login=self.login,
            **given,
        )
        _apply(partial(policy.validated_host, host))
        for name in (self.login.second_factor, self.login.sudo_credential):
            if name:
                named = host.model_copy(update={"credential": name})
                _apply(partial(policy.validated_host, named))
        return self


class OwnerRecord(Record, OwnerInfo):
    """Who is responsible for what."""

    KIND = "owner"
    KEYS = ("person", "team", "server", "institution", "group", "skill")

    person: MaybeId = ""
    team: MaybeId = ""
    server: MaybeId = ""
    institution: MaybeId = ""
    group: Name = ""
    skill: Skill
    proficiency: Level

    @model_validator(mode="after")
    def _one_owner_and_one_target(self) -> Self:
        if bool(self.person) == bool(self.team):
            raise fault("owner")
        if [bool(v) for v in (self.server, self.institution, self.group)].count(True) != 1:
            raise fault("target")
        return self


class SkillRecord(Record):
    """How well a person knows a field."""

    KIND = "skill"
    KEYS = ("person", "skill")

    person: Id
    skill: Skill
    proficiency: Level


class TeamRecord(Record):
    """People who are responsible together."""

    KIND = "team"
    KEYS = ("id",)

    id: Id
    name: Visible
    institution: MaybeId = ""
    members: Annotated[
        tuple[Id, ...], Field(max_length=_MAX_LIST), AfterValidator(lambda m: tuple(sorted({*m})))
    ] = ()
    lead: MaybeId = ""

    @model_validator(mode="after")
    def _lead_is_a_member(self) -> Self:
        if self.lead and self.lead not in self.members:
            raise fault("lead", value=self.lead)
        return self


class DutyRecord(Record):
    """Who is on duty for a field, every week."""

    KIND = "duty"
    KEYS = ("id",)

    id: Id
    field: Skill
    """A skill; `*`: every field."""
    institution: MaybeId = ""
    """Empty: every institution."""
    person: MaybeId = ""
    team: MaybeId = ""
    days: Annotated[tuple[_Day, ...], Field(min_length=1), AfterValidator(_in_week_order)] = DAYS
    begins: Clock
    ends: Clock
    """At or before `begins`: on the next day."""
    zone: Annotated[CleanStr, AfterValidator(_zone)] = SEOUL
    holidays: Literal["as_usual", "off", "only"] = "as_usual"
    since: Day = ""
    until: Day = ""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if bool(self.person) == bool(self.team):
            raise fault("holder")
        if self.since and self.until and self.until < self.since:
            raise fault("period", value=self.until)
        return self


class DutyExceptionRecord(Record):
    """Days on which another person, or no one, takes over a duty."""

    KIND = "duty_exception"
    KEYS = ("duty", "first_day")

    duty: Id
    first_day: Annotated[Day, AfterValidator(_some)]
    last_day: Day = ""
    """Empty: only the first day."""
    person: MaybeId = ""
    """Empty: no one is on duty."""
    reason: Annotated[Name, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.last_day and self.last_day < self.first_day:
            raise fault("period", value=self.last_day)
        return self


KINDS: dict[str, type[Record]] = {
    kind.KIND: kind
    for kind in (
        InstitutionRecord,
        ServerRecord,
        TeamRecord,
        SkillRecord,
        OwnerRecord,
        DutyRecord,
        DutyExceptionRecord,
    )
}
"""In the order in which they are written; they are removed in the opposite order."""
