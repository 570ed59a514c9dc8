"""The scheduler: wakes agents by their heartbeats; every host runs one, each tick counts once.

It follows the applied org chart. It also signs the audit log each minute in which it grew, starts
the daily full verification, and alerts about days without one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from guardia.board.accounts import expiry
from guardia.board.alerts import due as alerts_due
from guardia.board.approvals import deadlines
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.assignment import due as assignment_due
from guardia.board.command import schedule as command_schedule
from guardia.board.control import kill_report
from guardia.board.core.context import BoardContext
from guardia.board.costs import budgets
from guardia.board.dashboard import totals
from guardia.board.intake import context_rules, events
from guardia.board.intake.mail.retention import forget_old_mails
from guardia.board.integrity import daily_report
from guardia.board.knowledge import change_proposals, findings, proposals, stated, usage
from guardia.board.notifications import digests, on_call
from guardia.board.organization import chart as org_chart
from guardia.board.remote_console import changes as remote_changes
from guardia.board.rights import history
from guardia.board.rollouts import progress as rollouts
from guardia.board.runs import graph_steps, ticks
from guardia.board.search import retention
from guardia.board.service_levels import due as service_due
from guardia.board.standing import ending
from guardia.board.webhooks import deliveries as webhook_deliveries
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Refused
from guardia.heartbeat.triggers import HeartbeatTrigger

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHECKPOINT_INTERVAL = 60
_HOUR = 3600
_SWEEP_INTERVAL = 60
"""Seconds between two checks for due approvals and opening windows."""
_COMMAND_INTERVAL = 5
"""Seconds between two looks for scheduled commands that are due."""
_ROLLOUT_INTERVAL = 2
"""Seconds between two looks at the next step of rollouts."""
_ASSIGNMENT_INTERVAL = 5
"""Seconds between two looks at unanswered proposals and at reports of ended incidents."""
_SERVICE_INTERVAL = 5
"""Seconds between two looks at clocks of service levels."""
_KEEP_TICKS = timedelta(days=7)
"""How long ticks are kept; an agent's latest is always kept."""
_AGAIN = timedelta(seconds=5)
"""Delay before work is retried that failed because the database was away."""
_JOB_PREFIX = "heartbeat:"
_ONCE = {"coalesce": True, "max_instances": 1}


class HeartbeatScheduler:
    """Fires the heartbeats of every agent of the applied chart, from `start` to `stop`."""

    def __init__(
        self,
        board: BoardContext,
        keep_steps: timedelta = timedelta(days=30),
        store: BlobStore | None = None,
    ) -> None:
        """`keep_steps`: how long the saved steps of an ended task's graph are kept.

        `store`: where proposed documents are kept; without it none is proposed.
        """
        self._board, self._store = board, store
        self._keep_steps = keep_steps
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._reload_lock = threading.Lock()

    def start(self) -> None:
        """Catch up on missed ticks, then begin to tick."""
        self._add_audit_jobs()
        self._add_sweeps()
        self.resume()
        self._scheduler.start()

    def stop(self) -> None:
        """Stop ticking."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def has_ended(self) -> bool:
        """Return whether the scheduler's thread has ended on its own."""
        thread = getattr(self._scheduler, "_thread", None)
        return bool(self._scheduler.running and thread is not None and not thread.is_alive())

    def resume(self) -> None:
        """Reload the chart and catch up, after events may have been missed."""
        self.reload()
        self.catch_up()
        # Midnight may have passed in between.
        daily_report.alert_missing_reports(self._board)

    def realign(self) -> None:
        """Compute all moments again: this host's clock was wrong, and is right again."""
        for job in self._scheduler.get_jobs():
            self._scheduler.reschedule_job(job.id, trigger=job.trigger)

    def find_trigger(self, name: str) -> HeartbeatTrigger | None:
        """Return the trigger of an agent, or `None`."""
        found = self._scheduler.get_job(_JOB_PREFIX + name)
        return found.trigger if found else None

    def reload(self) -> None:
        """Add, change and remove triggers so that they match the applied chart."""
        with self._reload_lock:
            revision, chart, is_running = org_chart.last_good(self._board)
            if not is_running:
                log.error("the applied chart cannot be read; revision %s is used", revision)
            missing = {a.id: a.heartbeat for a in chart.agents}
            for job in self._agent_jobs():
                trigger: HeartbeatTrigger = job.trigger
                if missing.get(trigger.agent_id) == trigger.heartbeat:
                    del missing[trigger.agent_id]
                elif trigger.agent_id not in missing:
                    self._scheduler.remove_job(job.id)
            for agent_id, heartbeat in missing.items():
                try:
                    self._add(HeartbeatTrigger(agent_id, heartbeat))
                except Exception:  # one bad entry never takes the others down
                    log.exception("the heartbeat of %s cannot be scheduled", agent_id)
            log.info("scheduler reloaded from chart revision %s", revision)

    def catch_up(self) -> None:
        """Fire the ticks that no host has fired, as each agent's policy says."""
        last, now = ticks.last_ticks(self._board), self._board.clock()
        for job in self._agent_jobs():
            trigger: HeartbeatTrigger = job.trigger
            policy, since = trigger.heartbeat.catch_up, last.get(trigger.agent_id)
            if since is None or policy == "skip":
                continue
            missed = trigger.between(since, now - trigger.delay)
            for moment in missed if policy == "all" else missed[-1:]:
                ticks.tick(self._board, trigger.agent_id, moment)

    def _agent_jobs(self) -> list[Job]:
        return [j for j in self._scheduler.get_jobs() if j.id.startswith(_JOB_PREFIX)]

    def _add(self, trigger: HeartbeatTrigger) -> None:
        name = _JOB_PREFIX + trigger.agent_id
        self._scheduler.add_job(
            self._run_until_done,
            trigger,
            args=(name, partial(_fire, self._board, trigger)),
            id=name,
            replace_existing=True,
            # Never too late: a tick is identified by the moment when it was due.
            misfire_grace_time=None,
            **_ONCE,
        )

    def _run_until_done(self, name: str, work: Callable[[], object]) -> None:
        """Run `work`; if the database is away, retry until it succeeds."""
        try:
            work()
        except Refused as error:
            # A finding of the audit log refuses to sign until people have acted: no traceback.
            log.error("%s: %s", name, error)
        except OUTAGE_ERRORS as error:
            log.warning("%s: database unavailable: %s", name, type(error).__name__)
            self._scheduler.add_job(
                self._run_until_done,
                DateTrigger(datetime.now(UTC) + _AGAIN),
                args=(name, work),
                id=f"again:{name}",
                replace_existing=True,
                misfire_grace_time=None,
                **_ONCE,
            )

    def _add_recurring(
        self, name: str, trigger: BaseTrigger, work: Callable[[], object], **more: Any
    ) -> None:
        """Add a job that is not an agent's heartbeat."""
        self._scheduler.add_job(
            self._run_until_done, trigger, args=(name, work), id=name, **_ONCE, **more
        )

    def _add_sweeps(self) -> None:
        """Add deadline sweeps for people who wait, and the cleanup."""
        minute = IntervalTrigger(seconds=_SWEEP_INTERVAL, start_date=_EPOCH, timezone=UTC)
        sweeps: dict[str, Callable[[BoardContext], object]] = {
            "approvals:due": deadlines.process_due,
            "budgets:due": budgets.process_due,
            "standing:due": ending.process_due,
            "kill:report": kill_report.send_due_reports,
            "notices:on_call": on_call.process_due,
            "notices:digests": digests.process_due,
            "alerts:due": alerts_due.process_due,
            "accounts:due": expiry.process_due,
            "figures:fold": totals.fold,
            "webhooks:old": webhook_deliveries.remove_old,
            "documents:cited": usage.settle_citations,
            "documents:stated": stated.read_due,
            "documents:lost": retention.fail_lost,
        }
        for name, sweep in sweeps.items():
            self._add_recurring(
                name, minute, partial(sweep, self._board), misfire_grace_time=_SWEEP_INTERVAL
            )
        often = IntervalTrigger(seconds=_ROLLOUT_INTERVAL, timezone=UTC)
        self._add_recurring("rollouts", often, partial(rollouts.advance_all, self._board))
        self._add_recurring("remote", often, partial(remote_changes.advance_all, self._board))
        soon = IntervalTrigger(seconds=_COMMAND_INTERVAL, timezone=UTC)
        self._add_recurring("commands", soon, partial(command_schedule.run_due, self._board))
        soon = IntervalTrigger(seconds=_ASSIGNMENT_INTERVAL, timezone=UTC)
        self._add_recurring(
            "assignment:due", soon, partial(assignment_due.process_due, self._board)
        )
        soon = IntervalTrigger(seconds=_SERVICE_INTERVAL, timezone=UTC)
        self._add_recurring("service:due", soon, partial(service_due.process_due, self._board))
        self._add_recurring("webhooks", soon, partial(webhook_deliveries.queue_due, self._board))
        hourly = IntervalTrigger(seconds=_HOUR, timezone=UTC)
        if self._store is not None:
            for name, propose in (
                ("documents:proposed", proposals.propose_due),
                ("documents:changes", change_proposals.propose_due),
            ):
                work = partial(propose, self._board, self._store)
                self._add_recurring(name, hourly, work, misfire_grace_time=_HOUR)
        self._add_recurring(
            "forget",
            hourly,
            partial(_delete_old, self._board, self._keep_steps),
            misfire_grace_time=_HOUR,
        )

    def _add_audit_jobs(self) -> None:
        """Add signing and verification of the audit log."""
        minute = IntervalTrigger(seconds=_CHECKPOINT_INTERVAL, timezone=UTC)
        self._add_recurring(
            "audit:sign",
            minute,
            self._board.sign_checkpoint,
            misfire_grace_time=_CHECKPOINT_INTERVAL,
        )
        midnight = CronTrigger(hour=0, minute=0, timezone=daily_report.company_zone(self._board))
        begin = partial(daily_report.start_daily_verification, self._board)
        self._add_recurring("audit:daily", midnight, begin, misfire_grace_time=_HOUR)
        hourly = IntervalTrigger(seconds=_HOUR, timezone=UTC)
        miss = partial(daily_report.alert_missing_reports, self._board)
        self._add_recurring("audit:missing", hourly, miss, misfire_grace_time=_HOUR)


def _fire(board: BoardContext, trigger: HeartbeatTrigger) -> None:
    moment = trigger.last(board.clock())
    if moment is not None:
        ticks.tick(board, trigger.agent_id, moment)


def _delete_old(board: BoardContext, keep_steps: timedelta) -> None:
    ticks.delete_old_ticks(board, board.clock() - _KEEP_TICKS)
    context_rules.delete_old_lines(board)
    forget_old_mails(board)
    events.delete_old(board)
    history.delete_old(board)
    graph_steps.delete_ended(board, keep_steps)
    retention.delete_old(board)
    findings.look(board)
