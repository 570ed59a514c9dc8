"""Show changed alerts on the board: open, join, silence or close issues.

Each issue is one short transaction under the lock of the source. How many transactions there are
is bounded by the issues concerned, not by the alerts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.alerts import folding, opening, resolving, silencing
from guardia.board.alerts.changed import ChangedAlert, changed_alerts
from guardia.board.alerts.model import Alert
from guardia.board.alerts.policy import RECORD_ONLY
from guardia.board.alerts.rules import AlertRules
from guardia.board.alerts.servers import index_of
from guardia.board.alerts.silence import Cause, find_causes
from guardia.board.cmdb import view as cmdb
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import OPEN_STATES
from guardia.board.core.model import Issue


@dataclass(slots=True)
class _Work:
    """Changed alerts by what is done with them."""

    joining: dict[int, list[ChangedAlert]] = field(default_factory=lambda: defaultdict(list))
    """By open issue."""
    silenced: dict[Cause, list[ChangedAlert]] = field(default_factory=lambda: defaultdict(list))
    recorded: list[ChangedAlert] = field(default_factory=list)
    opening: dict[str, list[ChangedAlert]] = field(default_factory=lambda: defaultdict(list))
    """By fold, the most urgent first."""
    resolved: dict[int | None, list[ChangedAlert]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By issue."""


def process_alerts(board: BoardContext, source: str, rules: AlertRules) -> None:
    """Fold what a source has sent, and show on the board what is new about it."""
    folding.fold_waiting(board, source, rules)
    silencing.end_silences(board, source, rules)
    while _settle_some(board, source, rules):
        pass


def _settle_some(board: BoardContext, source: str, rules: AlertRules) -> bool:
    institutions, now = index_of(cmdb.systems(board)).institutions, board.clock()
    with board.database.reading() as session:
        changed = changed_alerts(session, source)
        if not changed:
            return False
        open_issues = _open_issues(session, source, {one.fold for one in changed if one.is_firing})
        known = {one.server_id for one in changed if one.is_firing and one.server_id}
        concerned = {name: institutions.get(name, "") for name in known}
        causes = find_causes(session, concerned, now, rules.after_change)
    work = _sort(changed, open_issues, causes)
    _carry_out(board, source, rules, work)
    return True


def _open_issues(session: Session, source: str, folds: Iterable[str]) -> dict[str, int]:
    """Return the open issue of each fold that has one."""
    query = (
        select(Alert.fold, Alert.sr_id)
        .join(Issue, Issue.sr_id == Alert.sr_id)
        .where(Alert.source == source, Alert.fold.in_(set(folds)), Issue.status.in_(OPEN_STATES))
        .order_by(Alert.sr_id)
        .distinct()
    )
    return {fold: sr_id for fold, sr_id in session.execute(query) if sr_id is not None}


def _sort(
    changed: Sequence[ChangedAlert],
    open_issues: Mapping[str, int],
    causes: Mapping[str, tuple[Cause, ...]],
) -> _Work:
    work = _Work()
    for one in changed:
        if not one.is_firing:
            work.resolved[one.sr_id].append(one)
        elif one.fold in open_issues:
            work.joining[open_issues[one.fold]].append(one)
        elif cause := silencing.cause_of(one, causes):
            work.silenced[cause].append(one)
        elif one.rank >= RECORD_ONLY:
            work.recorded.append(one)
        else:
            work.opening[one.fold].append(one)
    return work


def _carry_out(board: BoardContext, source: str, rules: AlertRules, work: _Work) -> None:
    for sr_id, alerts in work.joining.items():
        opening.join_issue(board, source, sr_id, alerts)
    for cause, alerts in work.silenced.items():
        silencing.silence(board, source, cause, alerts)
    if work.recorded:
        silencing.record(board, source, work.recorded)
    opening.open_issues(board, source, rules, list(work.opening.values()))
    for issue, alerts in work.resolved.items():
        resolving.resolve(board, source, issue, alerts)
