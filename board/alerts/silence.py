"""Why an alert of a server opens no issue: our own change of it, or a maintenance window."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from guardia.board.alerts.model import MaintenanceWindow
from guardia.board.site_rules.terms import EVERYWHERE, scope_keys

_SLACK = timedelta(seconds=60)
"""By how much the clocks of a monitoring system and of this installation may differ."""
_LONGEST_LIFE = timedelta(days=120)
# Tasks whose present plan has sent commands, and is not over or was until shortly before.
_CHANGES = text("""
    select distinct on (t.target_server) t.target_server, t.sr_id, runs.began
      from tb_ops_task t
      cross join lateral (
        select min(r.intent_at) as began, max(coalesce(r.result_at, r.intent_at)) as last
          from tb_action_run r where r.task_id = t.task_id and r.plan_hash = t.plan_hash
           and r.state <> 'NOT_STARTED') runs
     where t.target_server = any(:servers) and t.created_at > :horizon and runs.began is not null
       and (t.status = 'IN_PROGRESS' or runs.last > :past
            or exists (select from tb_directive d
                        where d.task_id = t.task_id and d.state = 'UNDOING'))
     order by t.target_server, runs.last desc, t.task_id desc
""")


@dataclass(frozen=True, slots=True)
class Cause:
    """What silences the alerts of a server."""

    sr_id: int | None = None
    """The issue of the change."""
    window_id: int | None = None
    since: datetime | None = None
    """When a change began: an alert of before is not caused by it."""

    def covers(self, started_at: datetime) -> bool:
        """Return whether it may have caused an alert that started then."""
        return self.since is None or started_at >= self.since - _SLACK


def find_causes(
    session: Session,
    servers: Mapping[str, str],
    now: datetime,
    after_change: timedelta,
) -> dict[str, tuple[Cause, ...]]:
    """Return what silences each of these servers, given with their institutions.

    The key `""` has what silences every alert, also those of unknown servers.
    """
    windows = _open_windows(session, servers, now)
    found = {
        server: [windows[key] for key in scope_keys(server, institution) if key in windows]
        for server, institution in servers.items()
    }
    values = {
        "servers": list(servers),
        "past": now - after_change,
        "horizon": now - _LONGEST_LIFE,
    }
    for server, sr_id, began in session.execute(_CHANGES, values) if servers else ():
        found[server].insert(0, Cause(sr_id=sr_id, since=began))
    found[""] = [windows[EVERYWHERE]] if EVERYWHERE in windows else []
    return {server: tuple(causes) for server, causes in found.items()}


def _open_windows(session: Session, servers: Mapping[str, str], now: datetime) -> dict[str, Cause]:
    keys: Collection[str] = {
        EVERYWHERE,
        *(
            key
            for server, institution in servers.items()
            for key in scope_keys(server, institution)
        ),
    }
    rows = session.execute(
        select(MaintenanceWindow.scope, MaintenanceWindow.window_id)
        .where(
            MaintenanceWindow.scope.in_(keys),
            MaintenanceWindow.ended_at.is_(None),
            MaintenanceWindow.begins_at <= now,
            MaintenanceWindow.ends_at > now,
        )
        .order_by(MaintenanceWindow.window_id)
    )
    return {scope: Cause(window_id=window) for scope, window in rows}
