"""Types of org_chart.yaml: the company, its agents, its approval chains."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from guardia.i18n import t
from guardia.org.adapters import Adapter
from guardia.org.agent_permissions import ToolPattern, WorkLimits
from guardia.org.approvals import ApprovalPolicy, Freeze
from guardia.org.approver_assignments import ApproverAssignment
from guardia.org.assignment import AssignmentRules
from guardia.org.autonomy import AutonomyRule
from guardia.org.brains import BrainChoice
from guardia.org.budgets import AgentBudget, Budgets, Price
from guardia.org.chat_rules import ChatRules
from guardia.org.heartbeats import Heartbeat
from guardia.org.notifications import NotificationRules
from guardia.org.service_levels import ServiceLevels
from guardia.org.standing import StandingRules
from guardia.org.zones import is_zone
from guardia.text import CleanStr, Name


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentEntry(_Entry):
    """One agent."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")
    title: Name
    aliases: tuple[Name, ...] = ()
    duty: Literal["dispatch", "operate", "audit"]
    reports_to: CleanStr | None = None
    skills: tuple[CleanStr, ...] = ()
    role: str | None = None
    """Instructions for a chat model, as a path relative to `agents/`."""
    brain: BrainChoice = BrainChoice()
    budget: AgentBudget = AgentBudget()
    heartbeat: Heartbeat = Heartbeat()
    adapter: Adapter | None = None
    """An external agent that works in place of our graph."""
    tools: tuple[ToolPattern, ...] | None = None
    """`None`: all tools; empty: none, so nothing on any server."""
    autonomy: tuple[CleanStr, ...] | None = None
    """Categories that it may plan and carry out; work of other categories goes to people."""
    limits: WorkLimits = WorkLimits()


def parse_entry(spec: dict[str, Any]) -> AgentEntry:
    """Return an agent's entry as it is stored; equal ones are parsed once and shared, as frozen."""
    return _parse_entry(json.dumps(spec))


@lru_cache(maxsize=1024)
def _parse_entry(spec: str) -> AgentEntry:
    return AgentEntry.model_validate_json(spec)


class Company(_Entry):
    """The organization as a whole."""

    name: Name
    timezone: str = "Asia/Seoul"

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_zone(name):
            raise ValueError(t("org.chart.timezone", name=name))
        return name

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of windows and freezes."""
        return ZoneInfo(self.timezone)


class OrgChart(_Entry):
    """The whole file."""

    company: Company
    agents: tuple[AgentEntry, ...]
    approvals: dict[CleanStr, ApprovalPolicy]
    """By category; `MAINTENANCE: [team_lead]` is short for `{steps: [team_lead]}`."""
    autonomy: tuple[AutonomyRule, ...] = ()
    """How far agents go, by institution and category; without a rule they propose."""
    standing: StandingRules | None = None
    """Rules of standing approvals; unset: nothing is proposed, and none is used."""
    freezes: tuple[Freeze, ...] = ()
    duties: tuple[ApproverAssignment, ...] = ()
    prices: dict[CleanStr, Price] = {}
    """By model, in won per million tokens."""
    budgets: Budgets = Budgets()
    talk: ChatRules = ChatRules()
    notifications: NotificationRules = NotificationRules()
    assignment: AssignmentRules = AssignmentRules()
    service_levels: ServiceLevels = ServiceLevels()

    @model_validator(mode="after")
    def _in_company_time(self) -> OrgChart:
        """Give agents without a time zone the company's."""
        zone = {"timezone": self.company.timezone}
        agents = tuple(
            a
            if a.heartbeat.timezone
            else a.model_copy(update={"heartbeat": a.heartbeat.model_copy(update=zone)})
            for a in self.agents
        )
        return self.model_copy(update={"agents": agents})
