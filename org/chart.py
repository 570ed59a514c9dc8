"""org_chart.yaml: the company, its agents and its approval chains, and applying it."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from guardia.errors import Invalid, Misconfigured
from guardia.org.access import PERMISSIONS, ROLES
from guardia.org.approvals import ApprovalPolicy, Freeze
from guardia.org.model import Agent, OrgRevision

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,4}[smhd]", text):
        raise ValueError("10m, 1h, 30s 처럼 적어 주세요")
    return text


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Heartbeat(_Entry):
    """How often an agent wakes when nothing wakes it."""

    every: Annotated[str, AfterValidator(_seconds)] = "10m"

    @property
    def seconds(self) -> int:
        """The interval in seconds."""
        return int(self.every[:-1]) * _UNITS[self.every[-1]]


class BrainChoice(_Entry):
    """What thinks for an agent: the embedded brain, or a chat model with it as the fallback."""

    kind: Literal["embedded", "chat"] = "embedded"
    base_url: str | None = None
    """OpenAI-compatible address, e.g. ``http://vllm:8000/v1``."""
    model: str | None = None
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds until the embedded brain takes over."""

    @model_validator(mode="after")
    def _complete(self) -> BrainChoice:
        if self.kind == "chat" and not (self.base_url and self.model):
            raise ValueError("chat 에는 base_url 과 model 이 필요합니다")
        return self


class AgentEntry(_Entry):
    """One agent."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")
    title: str
    aliases: tuple[str, ...] = ()
    duty: Literal["dispatch", "operate", "audit"]
    reports_to: str | None = None
    skills: tuple[str, ...] = ()
    role: str | None = None
    """Instructions for a chat model, relative to ``agents/``."""
    brain: BrainChoice = BrainChoice()
    heartbeat: Heartbeat = Heartbeat()


class Company(_Entry):
    """The organization as a whole."""

    name: str
    timezone: str = "Asia/Seoul"

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"모르는 시간대 {name}") from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of windows and freezes."""
        return ZoneInfo(self.timezone)


class OrgChart(_Entry):
    """The whole file."""

    company: Company
    agents: tuple[AgentEntry, ...]
    approvals: dict[str, ApprovalPolicy]
    """By category; ``MAINTENANCE: [team_lead]`` is the short form of ``{steps: [team_lead]}``."""
    freezes: tuple[Freeze, ...] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> OrgChart:
        ids = [a.id for a in self.agents]
        if len(set(ids)) != len(ids):
            raise ValueError("같은 id 의 에이전트가 둘 있습니다")
        for agent in self.agents:
            if agent.reports_to is not None and agent.reports_to not in ids:
                raise ValueError(f"{agent.id}: 상급자 {agent.reports_to} 이(가) 없습니다")
        if sum(a.duty == "dispatch" for a in self.agents) != 1:
            raise ValueError("duty: dispatch 인 에이전트가 정확히 하나여야 합니다")
        for category, policy in self.approvals.items():
            for role in policy.roles:
                if role not in ROLES:
                    raise ValueError(f"승인 단계 {category}: 모르는 역할 {role}")
                if role not in PERMISSIONS["approval.decide"]:
                    raise ValueError(f"승인 단계 {category}: 승인 권한이 없는 역할 {role}")
        for freeze in self.freezes:
            if unknown := set(freeze.categories) - set(self.approvals):
                raise ValueError(f"freezes: 모르는 범주 {', '.join(sorted(unknown))}")
        return self


def shipped() -> Path:
    """The org chart that the product brings."""
    packaged = Path(str(files("guardia"))) / "org" / "org_chart.yaml"
    # In a checkout the chart lies at the top of the repository, beside the rooms.
    return (
        packaged if packaged.is_file() else Path(__file__).resolve().parents[1] / "org_chart.yaml"
    )


def parse(text: str, name: str = "org_chart.yaml") -> OrgChart:
    """The chart in ``text``; ``Misconfigured`` with place and reason where it does not hold."""
    try:
        return OrgChart.model_validate(YAML(typ="safe").load(StringIO(text)))
    except YAMLError as error:
        raise Misconfigured(what=name, why=" ".join(str(error).split())) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise Misconfigured(what=f"{name} {place}".strip(), why=first["msg"]) from error


def fingerprint(text: str) -> str:
    """SHA-256 of a chart's text: whether it is the one that runs."""
    return hashlib.sha256(text.encode()).hexdigest()


def latest_revision(session: Session) -> int | None:
    """Number of the running revision, or ``None`` before the first apply."""
    return session.scalar(select(func.max(OrgRevision.revision)))


def apply(session: Session, text: str, author: str, now: datetime) -> int:
    """Make ``text`` the running organization in this transaction; returns its revision.

    An unchanged chart makes no new revision. Agents that are no longer named are fired.
    """
    chart = parse(text)
    digest = fingerprint(text)
    last = session.scalar(select(OrgRevision).order_by(OrgRevision.revision.desc()).limit(1))
    if last is not None and last.sha256 == digest:
        return last.revision
    revision = OrgRevision(chart=text, sha256=digest, author=author, created_at=now)
    session.add(revision)
    session.flush()
    for entry in chart.agents:
        known = session.get(Agent, entry.id) or Agent(agent_id=entry.id)
        known.title, known.aliases, known.duty = entry.title, list(entry.aliases), entry.duty
        known.reports_to, known.skills = entry.reports_to, list(entry.skills)
        known.spec = entry.model_dump(mode="json")
        known.revision = revision.revision
        known.state = "paused" if known.state == "paused" else "active"
        session.add(known)
    names = [a.id for a in chart.agents]
    session.execute(update(Agent).where(Agent.agent_id.not_in(names)).values(state="fired"))
    return revision.revision


def running(session: Session) -> OrgChart:
    """The applied chart; ``Misconfigured`` before the first apply."""
    text = session.scalar(
        select(OrgRevision.chart).where(
            OrgRevision.revision == select(func.max(OrgRevision.revision)).scalar_subquery()
        )
    )
    if text is None:
        raise Misconfigured(what="org_chart.yaml", why="아직 적용된 조직도가 없습니다")
    return _parsed(text)


@lru_cache(maxsize=8)
def _parsed(text: str) -> OrgChart:
    # Read for every command; a chart is frozen, so all readers may share it.
    return parse(text)


def approval_policy(chart: OrgChart, category: str) -> ApprovalPolicy:
    """What a category demands; ``Invalid`` for one the chart does not know: nobody approves it."""
    if category not in chart.approvals:
        raise Invalid(what=category, why="조직도의 approvals 에 없는 범주입니다")
    return chart.approvals[category]
