"""Check an edited runbook against the tools: what `Misconfigured` cannot say about a file alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardia.board.core.plan import Risk
from guardia.i18n import t_default
from guardia.knowledge.runbook import Runbook
from guardia.tools.catalog import CATALOG


def problems(runbook: Runbook) -> list[str]:
    """Return what a runbook asks of tools that they do not do; empty: nothing."""
    found = list[str]()
    for step in runbook.diagnose:
        found.extend(_wrong(step.tool, step.args, changes=False))
    for rule in runbook.decide:
        for action in rule.act:
            found.extend(_wrong(action.tool, action.args, changes=True))
        for check in rule.verify:
            found.extend(_wrong(check.tool, check.args, changes=False))
    return found


def _wrong(name: str, args: Mapping[str, Any], *, changes: bool) -> Iterator[str]:
    tool = CATALOG.get(name)
    if tool is None:
        yield t_default("documents.runbook_tool", tool=name)
        return
    if (tool.risk is not Risk.READ) != changes:
        yield t_default(
            "documents.runbook_read" if not changes else "documents.runbook_change", tool=name
        )
    for argument in args:
        if argument not in tool.args.model_fields:
            yield t_default("documents.runbook_argument", tool=name, argument=argument)
