"""org_chart.yaml: the company, its agents and its approval chains. Applying: ``org.revisions``."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from pydantic import (
    ValidationError,
)

from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t
from guardia.org import chart_yaml, validation
from guardia.org.approvals import ApprovalPolicy
from guardia.org.chart_model import OrgChart
from guardia.org.consistency import find_inconsistencies


def shipped_chart_path() -> Path:
    """The org chart that the product brings."""
    packaged = Path(str(files("guardia"))) / "org" / "org_chart.yaml"
    # In a checkout the chart lies at the top of the repository, beside the rooms.
    return (
        packaged if packaged.is_file() else Path(__file__).resolve().parents[1] / "org_chart.yaml"
    )


def parse(text: str, name: str = "org_chart.yaml") -> OrgChart:
    """Parse a chart. Raises `Misconfigured` with every fault, its line, column and remedy."""
    return validate(chart_yaml.load(text, name), text, name)


def validate(data: object, text: str, name: str = "org_chart.yaml") -> OrgChart:
    """Validate the values that were read from `text`. Raises `Misconfigured` like `parse`."""
    try:
        chart = OrgChart.model_validate(data)
    except ValidationError as error:
        raise chart_error(name, validation.find_problems(OrgChart, text)) from error
    if any(find_inconsistencies(chart)):
        raise chart_error(name, validation.find_problems(OrgChart, text))
    return chart


@lru_cache(maxsize=8)
def parse_cached(text: str) -> OrgChart:
    """``parse``, remembered: a chart is frozen, so all readers may share it."""
    return parse(text)


def chart_error(name: str, found: list[validation.ChartProblem]) -> Misconfigured:
    """The error that tells all faults of a chart, one a line."""
    why = t("org.fault.count", count=len(found))
    return Misconfigured(what=name, why="\n".join([why, *(f"  {fault}" for fault in found)]))


def fingerprint(text: str) -> str:
    """SHA-256 of a chart's text: whether it is the one that runs."""
    return hashlib.sha256(text.encode()).hexdigest()


def approval_policy(chart: OrgChart, category: str) -> ApprovalPolicy:
    """What a category demands; ``Invalid`` for one the chart does not know: nobody approves it."""
    if category not in chart.approvals:
        raise Invalid(what=category, why=t("org.chart.category"))
    return chart.approvals[category]
