"""Reading and validating org_chart.yaml. Applied revisions: `org.revisions`."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from guardia.errors import Invalid, Misconfigured
from guardia.i18n import t
from guardia.org import chart_yaml, validation
from guardia.org.approvals import ApprovalPolicy
from guardia.org.chart_model import OrgChart
from guardia.org.consistency import find_inconsistencies
from guardia.text import clean


def shipped_chart_path() -> Path:
    """Return the path of the org chart that ships with the product."""
    packaged = Path(str(files("guardia"))) / "org" / "org_chart.yaml"
    # In a checkout the chart is at the top of the repository, beside the packages.
    return (
        packaged if packaged.is_file() else Path(__file__).resolve().parents[1] / "org_chart.yaml"
    )


def parse(text: str, name: str = "org_chart.yaml") -> OrgChart:
    """Parse a chart. Raises `Misconfigured` with every problem, its line, column and remedy."""
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
    """Return `parse(text)` from a cache: charts are frozen, so all readers can share one."""
    return parse(text)


@lru_cache(maxsize=8)
def parse_stored(text: str) -> OrgChart:
    """Parse an applied chart; cached. What was accepted when it was applied stays readable.

    Raises `Misconfigured` only if this version cannot read it at all.
    """
    try:
        return OrgChart.model_validate(chart_yaml.load(text, "org_chart.yaml"))
    except ValidationError as error:
        raise chart_error("org_chart.yaml", validation.find_problems(OrgChart, text)) from error


def chart_error(name: str, problems: list[validation.ChartProblem]) -> Misconfigured:
    """Return the error that lists all problems of a chart, one per line."""
    why = t("org.fault.count", count=len(problems))
    lines = [why, *(f"  {problem}" for problem in problems)]
    return Misconfigured(what=name, why="\n".join(lines))


def fingerprint(text: str) -> str:
    """Return the SHA-256 of a chart's text as it is stored; it identifies a chart."""
    return hashlib.sha256(clean(text).encode()).hexdigest()


def approval_policy(chart: OrgChart, category: str) -> ApprovalPolicy:
    """Return a category's policy. Raises `Invalid` if the chart has no such category."""
    if category not in chart.approvals:
        raise Invalid(what=category, why=t("org.chart.category"))
    return chart.approvals[category]
