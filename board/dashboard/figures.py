"""Figures that the database keeps: sums over days, for all institutions or one, or for one server.

What counts in a measure is defined in `db/migrations/versions/0060_figures.sql`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from guardia.board.dashboard.cards import CardFilters
from guardia.board.issues.visibility import institution_scope
from guardia.org.directory import PersonInfo

ALL = "*"
_TOTALS = "select measure, inst_id, day, part, n from v_figure where measure = any(:measures)"
_OF_ONE = " and inst_id = :inst"
_OF_EACH = " and inst_id not in ('*', '')"
_SERVERS_TASKS = """
    select f.measure, coalesce(i.inst_id, '') as inst_id, f.day, f.part, f.n
      from tb_ops_task t join tb_sr_request i on i.sr_id = t.sr_id, task_figures(t) f
     where t.target_server = :server and f.measure = any(:measures)
"""
_SERVERS_ISSUES = """
    select f.measure, coalesce(i.inst_id, '') as inst_id, f.day, f.part, f.n
      from tb_sr_request i, issue_figures(i) f
     where i.sr_id in (select sr_id from tb_ops_task where target_server = :server)
       and f.measure = any(:measures)
"""
_OF_ISSUES = frozenset({"issue", "issue_state", "issue_urgent", "issue_ended", "assignee_field"})


class Figure(NamedTuple):
    """A sum. Keys that were not asked for are empty."""

    measure: str
    day: date | None
    part: str
    inst_id: str
    n: int


def sums(
    session: Session,
    viewer: PersonInfo,
    filters: CardFilters,
    measures: Sequence[str],
    *,
    by: Sequence[str] = (),
    since: date | None = None,
) -> list[Figure]:
    """Return the sums of measures by any of `day`, `part` and `inst_id`.

    Only what the viewer may see and the filters admit is counted.
    """
    inst = _institution(viewer, filters)
    if inst is None:
        return []
    values: dict[str, Any] = {"measures": list(measures), "inst": inst, "since": since}
    if filters.server:
        values["server"] = filters.server
        condition = "" if inst == ALL else _OF_ONE
        source = f"select * from ({_of_server(measures)}) f where true{condition}"
    else:
        source = _TOTALS + (_OF_EACH if inst == ALL and "inst_id" in by else _OF_ONE)
    keys = ["measure", *by]
    chosen = ", ".join(keys)
    period = "" if since is None else " and day >= :since"
    query = f"select {chosen}, sum(n) as n from ({source}{period}) s group by {chosen}"
    return [
        Figure(
            row.measure,
            row.day if "day" in by else None,
            row.part if "part" in by else "",
            row.inst_id if "inst_id" in by else "",
            int(row.n),
        )
        for row in session.execute(text(query), values)
        if row.n
    ]


def _of_server(measures: Sequence[str]) -> str:
    """Return the query of these measures for one server."""
    asked = set(measures)
    sources = [_SERVERS_ISSUES] if asked & _OF_ISSUES else []
    sources += [_SERVERS_TASKS] if asked - _OF_ISSUES else []
    return " union all ".join(sources)


def _institution(viewer: PersonInfo, filters: CardFilters) -> str | None:
    """Return the institution to count, `*` for all, or `None` if the viewer sees nothing of it."""
    scope = institution_scope(viewer)
    if scope is None or not filters.institution:
        return scope
    return filters.institution if scope in (ALL, filters.institution) else None
