"""Rules as code: export to YAML, and import of what differs from it."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from guardia.board.core.context import BoardContext
from guardia.board.site_rules import changes, forms, view
from guardia.board.site_rules.terms import SiteRule
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org import chart_yaml
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class RuleStep:
    """One difference between a file and the rules in force."""

    verb: str
    """`add`, `change` or `remove`."""
    name: str
    rule: SiteRule | None
    version: int
    """The version that it changes or removes; 0 for a new one."""


def export_rules(board: BoardContext) -> str:
    """Return all rules in force as YAML. Raises `Invalid` if this release cannot read one."""
    data: list[dict[str, Any]] = []
    for one in view.rules_in_force(board):
        if one.rule is None:
            raise Invalid(what=one.name, why=t("rules.why.unreadable"))
        data.append(one.rule.as_data())
    written = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 120
    yaml.dump({"rules": data}, written)
    return written.getvalue()


def parse_rules(text: str, name: str = "rules.yaml") -> tuple[SiteRule, ...]:
    """Return the rules of a file. Raises `Invalid` or `Misconfigured` with the first fault."""
    data = chart_yaml.load(text, name)
    entries = data.get("rules") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise Invalid(what=name, why=t("rules.wrong.file"))
    found: dict[str, SiteRule] = {}
    for number, entry in enumerate(entries, start=1):
        given = entry.get("name") if isinstance(entry, dict) else None
        try:
            rule = forms.validated(entry)
        except Invalid as error:
            what = f"{given or number}: {error.detail['what']}"
            raise Invalid(what=what, why=error.detail["why"]) from None
        if rule.name in found:
            raise Invalid(what=rule.name, why=t("rules.wrong.twice"))
        found[rule.name] = rule
    return tuple(found.values())


def plan_import(
    board: BoardContext, rules: tuple[SiteRule, ...], *, prune: bool
) -> tuple[RuleStep, ...]:
    """Return what an import would do; with `prune`, rules that the file lacks are removed."""
    known = {one.name: one for one in view.rules_in_force(board)}
    steps = []
    for rule in rules:
        old = known.pop(rule.name, None)
        if old is None:
            steps.append(RuleStep("add", rule.name, rule, 0))
        elif old.rule is None or old.rule.hash != rule.hash:
            steps.append(RuleStep("change", rule.name, rule, old.version))
    if prune:
        steps += [RuleStep("remove", name, None, old.version) for name, old in known.items()]
    return tuple(steps)


def apply_step(board: BoardContext, person: PersonInfo, step: RuleStep, reason: str) -> str:
    """Carry out one step of an import; return the state of the rule's new version."""
    if step.rule is None:
        return changes.remove_rule(board, person, step.name, reason, step.version).value
    if step.verb == "add":
        changes.add_rule(board, person, step.rule, reason)
        return changes.RuleState.ACTIVE.value
    return changes.edit_rule(board, person, step.rule, reason, step.version).value
