"""Apply a runbook to findings: which rule decides, and which plan follows. Pure.

Expressions are JMESPath over the findings (https://jmespath.org/specification.html); they read and
compare, and cannot call anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from guardia.agents import change_request
from guardia.board.core.labels import to_seoul_time
from guardia.board.core.plan import Action, Check, Citation, Plan, ToolCall
from guardia.board.core.planner import ReadEvidence
from guardia.errors import Refused
from guardia.i18n import t
from guardia.knowledge import runbook as book
from guardia.knowledge.runbook import DecisionRule, Runbook, RunbookAction, VerifyStep
from guardia.org.directory import Host, Service
from guardia.text import matching_form
from guardia.tools import planning, policy

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_MAX_CHARACTERS = 200
"""Maximum characters of one finding in a sentence."""


_FRONTS = frozenset({"nginx", "apache", "httpd", "webtob", "haproxy"})
"""Products that pass requests on to applications."""
_MAX_SERVICES = 4
"""Services of one server that a runbook is tried on."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a runbook is applied to."""

    host: Host
    service: Service | None
    params: dict[str, str]
    findings: dict[str, Any]
    request: dict[str, Any] = field(default_factory=dict)
    """What is asked for: `kind` and `action`, as triage has read them."""

    def data(self, **more: Any) -> dict[str, Any]:
        """Return the names that expressions may use."""
        return {
            "server": self.host.model_dump(mode="json"),
            "service": self.service.model_dump(mode="json") if self.service else None,
            "params": self.params,
            "request": self.request,
            **self.findings,
            **more,
        }


def services_for(runbook: Runbook, host: Host, text: str) -> list[str]:
    """Return the services of the host that a runbook is for, the most likely ones first.

    Those that the request names come first. What is in front of an application comes last,
    unless the server is a web server: it answers although the application behind it does not.
    """
    words = matching_form(text)

    def likelihood(service: Service) -> tuple[bool, bool]:
        product = service.product.lower()
        named = any(name and name in words for name in (service.name, product))
        return not named, (product in _FRONTS) != (host.kind == "WEB")

    fitting = (
        service
        for service in host.services
        if service.kind == runbook.service and runbook.is_for_products((service.product.lower(),))
    )
    return [service.name for service in sorted(fitting, key=likelihood)][:_MAX_SERVICES]


def service_of(
    chosen: Mapping[str, Any], runbook: Runbook, host: Host, text: str
) -> Service | None:
    """Return the chosen service of the host, or `None`; checkpoints of earlier versions name none.

    `chosen` is a candidate or the state of a graph.
    """
    first = next(iter(services_for(runbook, host, text)), None)
    name = chosen.get("service", first)
    return next((service for service in host.services if service.name == name), None)


def extract_parameters(
    runbook: Runbook, text: str, requests: Iterable[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Extract the runbook's parameters from the request. Returns them and the open questions.

    `requests` are people's requests for changes, oldest first: each may choose another value.
    """
    found: dict[str, str] = {}
    questions: list[str] = []
    for name, parameter in runbook.parameters.items():
        match = re.search(parameter.pattern, text)
        value = match[0] if match else None
        for request in requests:
            value = change_request.requested_value(parameter.pattern, request, value) or value
        if value:
            found[name] = value
        elif parameter.required:
            questions.append(parameter.ask)
    return found, questions


def diagnosis_evidence(runbook: Runbook, situation: Situation) -> list[ReadEvidence]:
    """Return what the runbook's diagnose steps have read, with the arguments of each read."""
    return [
        ReadEvidence(step.tool, diagnose_call(step, situation).args, situation.findings[step.as_])
        for step in runbook.diagnose
        if situation.findings.get(step.as_) is not None
    ]


def diagnose_call(step: book.DiagnoseStep, situation: Situation) -> ToolCall:
    """Return the call of a diagnose step."""
    return ToolCall(tool=step.tool, args=_args(step.args, situation.data()))


def first_matching_rule(runbook: Runbook, situation: Situation) -> DecisionRule | None:
    """Return the first rule whose condition is true, or `None`."""
    data = situation.data()
    return next((r for r in runbook.decide if _evaluate(r.when, data)), None)


def rule_reason(rule: DecisionRule, situation: Situation) -> str:
    """Return the reason of a rule with the findings filled in."""
    return _filled(rule.because, situation)


def _filled(sentence: str, situation: Situation) -> str:
    data = situation.data()
    return _PLACEHOLDER.sub(lambda m: _plain_text(_evaluate(m[1], data)), sentence).strip()


def build_plan(
    runbook: Runbook,
    rule: DecisionRule,
    situation: Situation,
    citation: Citation,
    requests: Sequence[str] = (),
    references: Sequence[Citation] = (),
) -> Plan:
    """Build the plan of a rule, every action concrete and validated by its tool.

    A rule that concludes has no actions; its plan has only the reason.

    `requests` are people's requests for changes; each may choose other values from the findings.
    Raises `Refused` if the findings leave nothing to act on.
    """
    calls = [call for act in rule.act for call in _calls(act, situation)]
    evidence = diagnosis_evidence(runbook, situation)
    calls = change_request.adjusted_calls(calls, evidence, requests)
    actions = tuple(planning.propose(call, situation.host) for call in calls)
    if rule.act and not actions:
        raise Refused(why=t("agents.no_rule", title=runbook.title))
    return Plan(
        server=situation.host.server_id,
        category=_category(runbook, actions),
        because=rule_reason(rule, situation),
        citation=citation,
        actions=actions,
        verify=tuple(_check(v, situation) for v in rule.verify),
        references=tuple(references),
    )


def _category(runbook: Runbook, actions: tuple[Action, ...]) -> str:
    """Return the runbook's category, or a higher one if an action exceeds its risk."""
    risks = [a.risk for a in actions]
    if risks and all(policy.covers(runbook.category, risk) for risk in risks):
        return runbook.category
    return policy.least_category(risks)


def _calls(act: RunbookAction, situation: Situation) -> list[ToolCall]:
    if act.for_each is None:
        return [ToolCall(tool=act.tool, args=_args(act.args, situation.data()))]
    items = _evaluate(act.for_each, situation.data())
    if not isinstance(items, list):
        return []
    return [ToolCall(tool=act.tool, args=_args(act.args, situation.data(item=i))) for i in items]


def _check(verify: VerifyStep, situation: Situation) -> Check:
    call = ToolCall(tool=verify.tool, args=_args(verify.args, situation.data()))
    return Check(
        call=call,
        expect=verify.expect,
        within=round(verify.within),
        sentence=_filled(verify.sentence, situation),
    )


def _args(args: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _evaluate(value[1:], data)
        if isinstance(value, str) and value.startswith("=")
        else value
        for name, value in args.items()
    }


def _evaluate(expression: str, data: dict[str, Any]) -> Any:
    """Evaluate an expression. Returns `None` on errors, such as functions on a failed read."""
    try:
        return jmespath.search(expression, data)
    except (JMESPathError, TypeError):  # the library compares a text with a number
        return None


def _plain_text(value: Any) -> str:
    """Format a finding as one line of plain text: servers and their users control its content."""
    if isinstance(value, list):
        text = ", ".join(_plain_text(v) for v in value)
    elif value is None:
        text = ""
    elif isinstance(value, bool):
        text = t("agents.yes" if value else "agents.no")
    else:
        text = to_seoul_time(str(value))
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * _MAX_CHARACTERS])
    # A sentence has no holes: what was not found is named as such.
    return " ".join(printable.split())[:_MAX_CHARACTERS] or t("agents.not_known")
