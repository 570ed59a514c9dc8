"""How the work on an issue went: times, commands with results, outcome. Pure."""

from __future__ import annotations

from datetime import datetime

from guardia.board.audit.kinds import EntryKind
from guardia.board.core.labels import format_time, tool_title
from guardia.board.core.lifecycle import ENDED_STATES, State
from guardia.board.core.plan import Plan
from guardia.board.papers.paper import Value
from guardia.board.papers.record import IssueRecord, LoggedWork
from guardia.board.papers.wording import at_minute, lines, named, span_between
from guardia.i18n import t

_ENDS = frozenset({EntryKind.COMPLETED, EntryKind.FAILED, EntryKind.UNDONE, EntryKind.NOT_RESTORED})


def end_values(record: IssueRecord) -> dict[str, Value]:
    """Return the values of the end of an issue, and of an incident from detection to recovery."""
    issue, alerts = record.issue, record.alerts
    started = _first(record, EntryKind.STARTED)
    ended = _last_end(record)
    recovered = _recovered(record)
    detected = alerts.seen_at or issue.created_at
    done = [task for task in record.tasks if task.status == State.COMPLETED and task.plan]
    return {
        "started_at": at_minute(started),
        "ended_at": at_minute(ended),
        "took": span_between(started, ended)
        if started
        else span_between(issue.created_at, issue.closed_at),
        "result": t(f"state.{issue.status}") if issue.status in ENDED_STATES else None,
        "actions": lines(
            action.effect for task in done for action in Plan.model_validate(task.plan).actions
        ),
        "outcome": _outcome(record),
        "evidence": t("papers.evidence", count=record.evidence) if record.evidence else None,
        "occurred_at": at_minute(alerts.began_at),
        "detected_at": at_minute(alerts.seen_at),
        "acted_at": at_minute(started),
        "recovered_at": at_minute(recovered),
        "down_for": span_between(alerts.began_at, recovered),
        "recovered_in": span_between(detected, recovered),
        "detected_by": lines((named("web.channel", issue.channel), *alerts.rules)),
    }


def runs(record: IssueRecord) -> list[dict[str, Value]]:
    """Return the commands that changed something, with their results."""
    results = {one.detail.get("intent"): one for one in record.entries if one.kind in _RESULT_KINDS}
    sent = [one for one in record.entries if one.kind is EntryKind.INTENT]
    return [_run(no, one, results.get(one.seq)) for no, one in enumerate(sent, start=1)]


_RESULT_KINDS = frozenset({EntryKind.RESULT, EntryKind.RESULT_FAILED})


def _run(number: int, sent: LoggedWork, result: LoggedWork | None) -> dict[str, Value]:
    seconds = result.detail.get("milliseconds") if result else None
    return {
        "no": number,
        "at": format_time(sent.at),
        "server": sent.detail.get("server"),
        "step": tool_title(str(sent.detail.get("tool", ""))),
        "command": sent.detail.get("command"),
        "phase": t(f"papers.phase.{'undo' if sent.detail.get('phase') == 'undo' else 'do'}"),
        "result": t(f"papers.run.{_result(result)}"),
        "seconds": seconds / 1000 if isinstance(seconds, int) else None,
    }


def _result(result: LoggedWork | None) -> str:
    if result is None:
        return "unknown"
    return "done" if result.kind is EntryKind.RESULT else "failed"


def _first(record: IssueRecord, kind: EntryKind) -> datetime | None:
    return next((one.at for one in record.entries if one.kind is kind), None)


def _last_end(record: IssueRecord) -> datetime | None:
    return max((one.at for one in record.entries if one.kind in _ENDS), default=None)


def _recovered(record: IssueRecord) -> datetime | None:
    """Return when it was over: by monitoring, or when a completed request was verified."""
    if record.issue.status != State.COMPLETED:
        return record.alerts.over_at
    done = [one.at for one in record.entries if one.kind is EntryKind.COMPLETED]
    return record.alerts.over_at or max(done, default=None)


def _outcome(record: IssueRecord) -> str | None:
    """Return the text of the last closing entry."""
    ends = [one for one in record.entries if one.kind in _ENDS]
    if not ends:
        return None
    detail = ends[-1].detail
    return str(detail.get("text") or detail.get("reason") or "") or None
