"""Consistency checks between the parts of an org chart."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from guardia.i18n import t
from guardia.org.access import PERMISSIONS, ROLES
from guardia.org.addresses import is_address
from guardia.org.approver_assignments import ENGINEER
from guardia.org.budgets import unpriced_models
from guardia.org.chart_model import OrgChart
from guardia.org.chat_rules import KNOWN_SKILLS, RESERVED_RULE_IDS

ChartPath = tuple[str | int, ...]
"""Path to a node of the chart; agents are given by id or number."""


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """Something that contradicts another part of the chart."""

    path: ChartPath
    text: str


def find_inconsistencies(chart: OrgChart) -> Iterator[Inconsistency]:
    """Yield every contradiction in a chart."""
    yield from _unique_ids(chart)
    yield from _reporting_lines(chart)
    yield from _dispatchers(chart)
    yield from _approval_chains(chart)
    yield from _calendar(chart)
    yield from _adapters(chart)
    yield from _autonomy(chart)
    yield from _autonomy_rules(chart)
    yield from _approver_assignments(chart)
    yield from _prices(chart)
    yield from _chat_rules(chart)
    yield from _model_addresses(chart)


def _unique_ids(chart: OrgChart) -> Iterator[Inconsistency]:
    seen: set[str] = set()
    for number, agent in enumerate(chart.agents):
        if agent.id in seen:
            yield Inconsistency(("agents", number, "id"), t("org.chart.twice", id=agent.id))
        seen.add(agent.id)


def _reporting_lines(chart: OrgChart) -> Iterator[Inconsistency]:
    """Check that every superior exists and that reporting lines have no cycle."""
    above = {a.id: a.reports_to for a in chart.agents}
    for number, agent in enumerate(chart.agents):
        path = ("agents", number, "reports_to")
        if agent.reports_to is not None and agent.reports_to not in above:
            words = {"superior": agent.reports_to, "known": ", ".join(above)}
            yield Inconsistency(path, t("org.chart.superior", **words))
        elif _is_in_cycle(agent.id, above):
            yield Inconsistency(path, t("org.chart.circle", agent=agent.id))


def _is_in_cycle(agent: str, above: dict[str, str | None]) -> bool:
    """Return whether the chain of superiors leads back to the agent."""
    seen: set[str] = set()
    step = above[agent]
    while step is not None and step in above and step not in seen:
        if step == agent:
            return True
        seen.add(step)
        step = above[step]
    return False


def _dispatchers(chart: OrgChart) -> Iterator[Inconsistency]:
    found = [number for number, a in enumerate(chart.agents) if a.duty == "dispatch"]
    if not found:
        yield Inconsistency(("agents",), t("org.chart.no_dispatcher"))
    for number in found[1:]:
        yield Inconsistency(("agents", number, "duty"), t("org.chart.dispatchers"))


def _approval_chains(chart: OrgChart) -> Iterator[Inconsistency]:
    if (forced := chart.approvals.get("FORCED")) is not None and not forced.steps:
        yield Inconsistency(("approvals", "FORCED"), t("org.chart.forced"))
    for category, policy in chart.approvals.items():
        if policy.signature and not (policy.steps or policy.irreversible):
            yield Inconsistency(("approvals", category, "signature"), t("org.chart.unsigned"))
        named: list[tuple[ChartPath, str | None]] = [(("escalate_to",), policy.escalate_to)]
        for field in ("steps", "irreversible"):
            steps = enumerate(getattr(policy, field))
            named += [((field, number, "role"), step.role) for number, step in steps]
        for path, role in named:
            if role not in (None, ENGINEER) and (why := _why_not_approver(str(role))) is not None:
                yield Inconsistency(("approvals", category, *path), why)


def _why_not_approver(role: str) -> str | None:
    """Return why the role cannot approve anything, or `None` if it can."""
    known = ", ".join(r for r in ROLES if r in PERMISSIONS["approval.decide"])
    if role not in ROLES:
        return t("org.chart.role", role=role, known=known)
    if role not in PERMISSIONS["approval.decide"]:
        return t("org.chart.powerless", role=role, known=known)
    return None


def _calendar(chart: OrgChart) -> Iterator[Inconsistency]:
    for number, freeze in enumerate(chart.freezes):
        if unknown := sorted(set(freeze.categories) - set(chart.approvals)):
            path = ("freezes", number, "categories")
            yield Inconsistency(path, t("org.chart.freeze", categories=", ".join(unknown)))


def _adapters(chart: OrgChart) -> Iterator[Inconsistency]:
    for number, agent in enumerate(chart.agents):
        if agent.adapter is not None and agent.duty != "operate":
            path = ("agents", number, "adapter")
            yield Inconsistency(path, t("org.adapter.duty", agent=agent.id))


def _autonomy(chart: OrgChart) -> Iterator[Inconsistency]:
    for number, agent in enumerate(chart.agents):
        for entry, category in enumerate(agent.autonomy or ()):
            if category not in chart.approvals:
                path = ("agents", number, "autonomy", entry)
                known = ", ".join(chart.approvals)
                words = {"category": category, "known": known}
                yield Inconsistency(path, t("org.chart.autonomy", **words))


def _autonomy_rules(chart: OrgChart) -> Iterator[Inconsistency]:
    """Check that every rule names a category of the chart and none is given twice."""
    seen: set[tuple[str | None, str | None]] = set()
    for number, rule in enumerate(chart.autonomy):
        path = ("autonomy", number)
        if rule.category is not None and rule.category not in chart.approvals:
            words = alternatives(rule.category, chart.approvals)
            yield Inconsistency(
                (*path, "category"), t("org.autonomy.category", category=rule.category, **words)
            )
        if rule.scope in seen:
            names = {"institution": rule.institution or "-", "category": rule.category or "-"}
            yield Inconsistency(path, t("org.autonomy.twice", **names))
        seen.add(rule.scope)


def find_unknown_institutions(chart: OrgChart, known: Collection[str]) -> Iterator[Inconsistency]:
    """Yield every autonomy rule of an institution that is not registered."""
    for number, rule in enumerate(chart.autonomy):
        if rule.institution is not None and rule.institution not in known:
            words = alternatives(rule.institution, known)
            yield Inconsistency(
                ("autonomy", number, "institution"),
                t("org.autonomy.institution", institution=rule.institution, **words),
            )


def alternatives(name: str, known: Collection[str]) -> dict[str, str]:
    """Return the known names, and the closest match to an unknown one."""
    spelled = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), list(spelled), n=1)
    meant = t("org.fault.meant", name=spelled[close[0]]) if close else ""
    return {"known": ", ".join(known) or "-", "meant": meant}


def _approver_assignments(chart: OrgChart) -> Iterator[Inconsistency]:
    seen: set[tuple[str, str | None]] = set()
    for number, duty in enumerate(chart.duties):
        if (why := _why_not_approver(duty.role)) is not None:
            yield Inconsistency(("duties", number, "role"), why)
        if (duty.role, duty.institution) in seen:
            words = {"role": duty.role, "institution": duty.institution or "-"}
            yield Inconsistency(("duties", number), t("org.chart.duty_twice", **words))
        seen.add((duty.role, duty.institution))


def _prices(chart: OrgChart) -> Iterator[Inconsistency]:
    for agent_id, model in unpriced_models(chart.agents, chart.budgets, chart.prices):
        path = ("agents", agent_id, "brain")
        yield Inconsistency(path, t("org.chart.unpriced", agent=agent_id, model=model))


def _chat_rules(chart: OrgChart) -> Iterator[Inconsistency]:
    """Check that rules have unique ids, known chat rooms and known skills."""
    skills = dict.fromkeys([*KNOWN_SKILLS, *(skill for a in chart.agents for skill in a.skills)])
    seen = set(RESERVED_RULE_IDS)
    for number, rule in enumerate(chart.talk.rules):
        path = ("talk", "rules", number)
        if rule.id in seen:
            yield Inconsistency((*path, "id"), t("org.talk.twice", id=rule.id))
        seen.add(rule.id)
        for entry, room in enumerate(rule.rooms):
            if not chart.talk.is_chat_room(room):
                words = {"room": room, "known": ", ".join(chart.talk.rooms) or "-"}
                yield Inconsistency((*path, "rooms", entry), t("org.talk.room", **words))
        if rule.skill is not None and rule.skill not in skills:
            words = {"skill": rule.skill, "known": ", ".join(skills)}
            yield Inconsistency((*path, "skill"), t("org.talk.skill", **words))


def _model_addresses(chart: OrgChart) -> Iterator[Inconsistency]:
    """Check that the client of a model can call its address at all."""
    for number, agent in enumerate(chart.agents):
        brain = agent.brain
        named: list[tuple[ChartPath, str | None]] = [(("base_url",), brain.base_url)]
        named += [(("models", n, "base_url"), m.base_url) for n, m in enumerate(brain.models)]
        for path, address in named:
            if address is not None and not is_address(address):
                yield Inconsistency(("agents", number, "brain", *path), t("org.adapter.address"))
