"""What `guardia show` prints of an issue: its state, people, cause, action and result."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from guardia.board.core.issue_ref import issue_ref
from guardia.cli.console import console
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.tracker.issue_page import IssueDetail
    from guardia.board.tracker.task_details import TaskDetail


def facts(issue: IssueDetail) -> Iterator[tuple[str, str]]:
    """Yield name and text of what is known of an issue: place, people, times."""
    from guardia.board.core.labels import format_time
    from guardia.board.tracker.filter_values import value_label

    yield "kind", value_label("kind", issue.kind) if issue.kind else ""
    yield "priority", issue.priority or ""
    yield "institution", issue.institution or ""
    yield "server", ", ".join(issue.servers)
    yield "requester", issue.requester
    yield "engineer", issue.engineer or ""
    yield "agent", issue.agent or ""
    yield "approvers", ", ".join(approvers(issue))
    yield "created", format_time(issue.created_at)
    yield "updated", format_time(issue.updated_at)


def approvers(issue: IssueDetail) -> list[str]:
    """Return the people who have decided on its plans, in order, each once."""
    people = [vote.person for task in issue.tasks for step in task.steps for vote in step.votes]
    return list(dict.fromkeys(issue.names.get(one, one) for one in people))


def cause_action_result(issue: IssueDetail, task: TaskDetail) -> dict[str, Any]:
    """Return cause, actions and result of a task with a plan."""
    plan = task.plan
    ended = [key for key, state in sorted(task.attempts.items()) if state == "DONE"]
    done = [ordinal for ordinal, phase in ended if phase == "do"]
    undone = [ordinal for ordinal, phase in ended if phase == "undo"]
    actions = plan.actions if plan else ()
    summary = task.summary
    return {
        "task": task.task_id,
        "server": task.server,
        "status": task.status.value,
        "cause": plan.because if plan else "",
        "actions": [actions[o].effect for o in done if o < len(actions)],
        "undone": [actions[o].effect for o in undone if o < len(actions)],
        "result": list(summary.confirmations)
        if summary is not None and task.status == "COMPLETED"
        else [issue.outcome]
        if issue.outcome
        else [],
    }


def print_facts(issue: IssueDetail) -> None:
    """Print what people ask first: state, people, and for each task cause, action, result."""
    screen = console()
    screen.print(f"{issue_ref(issue.sr_id)} {t(f'state.{issue.status}')}", style="bold")
    screen.print(issue.title)
    for name, text in facts(issue):
        if text:
            screen.print(f"  {t(f'issues.show.{name}')}: {text}")
    planned = [cause_action_result(issue, task) for task in issue.tasks if task.plan]
    for one in planned:
        screen.print(t("issues.show.task", server=one["server"] or "-"), style="bold")
        nothing = [t("issues.show.nothing")]
        for name, texts in (
            ("cause", [one["cause"]]),
            ("actions", one["actions"] or nothing),
            ("undone", one["undone"]),
            ("result", one["result"] or [t(f"state.{one['status']}")]),
        ):
            for text in texts:
                screen.print(f"  {t(f'issues.show.{name}')}: {text}")
    if not planned and issue.outcome:
        screen.print(f"  {t('issues.show.result')}: {issue.outcome}")


def print_json(issue: IssueDetail) -> None:
    """Print an issue as JSON."""
    data = {
        "number": issue.sr_id,
        "title": issue.title,
        "body": issue.body,
        "status": issue.status.value,
        "kind": issue.kind,
        "category": issue.category,
        "priority": issue.priority,
        "institution": issue.institution,
        "servers": list(issue.servers),
        "requester": issue.requester,
        "engineer": issue.engineer,
        "agent": issue.agent,
        "approvers": approvers(issue),
        "created_at": issue.created_at.isoformat(),
        "updated_at": issue.updated_at.isoformat(),
        "outcome": issue.outcome,
        "tasks": [cause_action_result(issue, task) for task in issue.tasks],
    }
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
