"""Card of the load by hour of the day: tasks that began, and lines in watched rooms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, cast, column, func, select, table, text

from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.dashboard.cards import CardFilters, Chart, Series
from guardia.i18n import t
from guardia.org.directory import PersonInfo

_LINES = table("tb_msg_chat_log", column("created_at"))


class HoursCard:
    """When work comes."""

    name = "hours"
    permission = "plan.read"
    template = "dashboard/hours"

    def read(self, board: BoardContext, person: PersonInfo, filters: CardFilters) -> Chart:
        """Count by hour of the day in Seoul."""
        begin = filters.begins(board.clock())
        tasks = (
            select(_hour(Task.created_at), func.count())
            .join(Issue, Issue.sr_id == Task.sr_id)
            .where(Task.created_at >= begin, filters.issues(person))
            .group_by(text("1"))
        )
        lines = (
            select(_hour(_LINES.c.created_at), func.count())
            .where(_LINES.c.created_at >= begin)
            .group_by(text("1"))
        )
        with board.database.reading() as session:
            work = {row[0]: int(row[1]) for row in session.execute(tasks)}
            talk = {row[0]: int(row[1]) for row in session.execute(lines)}
        hours = range(24)
        return Chart(
            t("dashboard.hours.title"),
            tuple(f"{hour:02d}" for hour in hours),
            (
                Series(t("dashboard.hours.tasks"), tuple(work.get(h, 0) for h in hours)),
                Series(t("dashboard.hours.lines"), tuple(talk.get(h, 0) for h in hours), "gray"),
            ),
        )


def _hour(moment: Any) -> Any:
    return cast(func.extract("hour", func.timezone("Asia/Seoul", moment)), Integer)
