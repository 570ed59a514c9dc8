"""What of a chart can be checked only where the tools are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardia.cli.chartfile import ChartFile

if TYPE_CHECKING:
    from guardia.org.chart import OrgChart


def checked(given: ChartFile) -> OrgChart:
    """The chart in a file; ``Misconfigured`` with every fault."""
    from guardia.org import chart

    return chart.parse(given.text, given.path.name)
