"""Edit the chart's section of conversation rooms: check it, try it, apply it."""

from __future__ import annotations

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import chart as organization_chart
from guardia.errors import Invalid, Misconfigured
from guardia.org import chart, chart_sections
from guardia.org.access import require_permission
from guardia.org.chart_model import OrgChart
from guardia.org.directory import PersonInfo

SECTION = "talk"
EDIT = "talk.edit"


def running_section(board: BoardContext) -> tuple[int, str]:
    """Return the running revision and the text of its section."""
    revision, text = organization_chart.running_text(board)
    return revision, chart_sections.section_text(text, SECTION)


def parse_section(board: BoardContext, section: str) -> OrgChart:
    """Return the chart as it would be. Raises `Invalid` with what is wrong."""
    _, text = organization_chart.running_text(board)
    return chart.parse(_replaced(text, section))


def _replaced(text: str, section: str) -> str:
    try:
        new = chart_sections.replace_section(text, SECTION, section)
        chart.parse(new)
    except Misconfigured as error:
        raise Invalid(what=SECTION, why=str(error)) from error
    return new


def apply_section(
    board: BoardContext, person: PersonInfo, section: str, expected_revision: int
) -> int:
    """Apply an edited section as a new revision. Raises `Stale` if the chart has changed since."""
    require_permission(person, EDIT)
    _, text = organization_chart.running_text(board)
    return organization_chart.apply_chart(
        board, _replaced(text, section), Actor.of(person), expected_revision
    )
