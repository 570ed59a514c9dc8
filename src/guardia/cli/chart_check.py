"""Chart checks that need to know the tools."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guardia.cli.chart_file import ChartFile
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.org.chart_model import OrgChart
    from guardia.org.consistency import Inconsistency

_MAX_SUGGESTIONS = 5


def check_chart(file: ChartFile) -> OrgChart:
    """Parse a chart file. Raises `Misconfigured` with every problem, unknown tools included."""
    from guardia.org import chart, validation

    parsed = chart.parse(file.text, file.path.name)
    problems = validation.locate_inconsistencies(file.text, _unknown_tools(parsed))
    if problems:
        raise chart.chart_error(file.path.name, problems)
    return parsed


def _unknown_tools(chart: OrgChart) -> Iterator[Inconsistency]:
    from guardia.org.consistency import Inconsistency
    from guardia.tools.catalog import CATALOG

    families = {f"{name.partition('.')[0]}.*" for name in CATALOG}
    known = [*sorted(families), *CATALOG, "*"]
    for agent in chart.agents:
        for number, tool in enumerate(agent.tools or ()):
            if tool not in known:
                close = difflib.get_close_matches(tool, known, n=_MAX_SUGGESTIONS, cutoff=0.5)
                words = {"tool": tool, "known": ", ".join(close or sorted(families))}
                path = ("agents", agent.id, "tools", number)
                yield Inconsistency(path, t("org.chart.unknown_tool", **words))
