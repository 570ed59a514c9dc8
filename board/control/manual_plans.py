"""Plans made by people: a changed plan for a task, or a single forced action.

Both are built by the planner and approved like an agent's plan; the author may not approve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.audit.canonical import digest
from guardia.board.control import directives, rollback
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.lifecycle import State
from guardia.board.core.lookup import get_issue
from guardia.board.core.model import Issue, Task
from guardia.board.core.outbox import reply_to_room
from guardia.board.core.plan import Action, Category, Citation, Plan
from guardia.board.core.planner import ActionDraft, Planner, ReadEvidence
from guardia.board.core.reasons import require_reason
from guardia.board.core.transitions import update_issue_state
from guardia.board.execution import plan_history, rule_check, tasks
from guardia.board.issues.receiving import open_task
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, NotFound, Refused, Stale, UserError
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import Host, PersonInfo
from guardia.org.model import Agent
from guardia.text import trim

_MAX_ACTIONS = 50


@dataclass(frozen=True, slots=True)
class PlanRevision:
    """A person's replacement for the actions of a task's plan."""

    plan_hash: str
    """Hash of the plan that the person saw."""
    actions: Sequence[ActionDraft]
    reason: str


def change_plan(
    board: BoardContext, person: PersonInfo, task_id: int, revision: PlanRevision
) -> State:
    """Replace a task's plan by a person's plan and request all approvals again.

    If the plan is running, its command is stopped and the actions outside the common prefix of
    both plans are undone before approvals are requested. Raises `Stale` if the plan has changed
    since the person saw it, `Invalid` or `Refused` if an action is not valid.
    """
    require_permission(person, "directive.change")
    reason = require_reason(revision.reason)
    with board.database.reading() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(what=f"task {task_id}")
        if task.plan_hash != revision.plan_hash:
            raise Stale(what=issue_ref(task.sr_id))
        old = tasks.stored_plan(task)
        host = registry.host(session, old.server)
        evidence = plan_history.evidence_of(session, task.sr_id, old.server)
    actions = _actions(board.planner, revision.actions, host, old, evidence)
    if [a.call for a in actions] == [a.call for a in old.actions]:
        raise Invalid(what=t("board.verb.change"), why=t("board.same_plan"))
    # The diagnosis stays the agent's: what the person changed is shown beside it.
    # An exception was asked for exactly the old actions.
    plan = Plan.model_validate({**dict(old), "actions": actions, "exceptions": ()})
    return directives.issue_directive(
        board, person, task_id, DirectiveRequest("change", reason, revision.plan_hash, plan)
    )


def request_exception(
    board: BoardContext,
    person: PersonInfo,
    task_id: int,
    plan_hash: str,
    reason: str,
    rules: Sequence[str] = (),
) -> State:
    """File a task's plan again with an exception from the site's rules that it breaks now.

    The exception is part of the plan: its approvals, which include those of FORCED, are bound to
    it, the person who asks cannot give them, and it ends with this plan. By default it covers all
    rules that forbid the plan, and the plan no longer waits for them.
    """
    require_permission(person, "directive.force")
    text, now = require_reason(reason), board.clock()
    with board.database.reading() as session:
        task = session.get(Task, task_id)
        if task is None:
            raise NotFound(what=f"task {task_id}")
        if task.plan_hash != plan_hash:
            raise Stale(what=issue_ref(task.sr_id))
        old = tasks.stored_plan(task)
        at_once = old.model_copy(update={"exceptions": (), "not_before": None})
        ruling = rule_check.rule_on(session, board.planner, task, at_once, now)
    exceptions = rule_check.exceptions_for(ruling, text, rules)
    if not exceptions:
        raise Invalid(what=t("rules.exception"), why=t("rules.nothing_broken"))
    plan = (at_once if ruling.waits else old).model_copy(update={"exceptions": exceptions})
    return directives.issue_directive(
        board, person, task_id, DirectiveRequest("change", text, plan_hash, plan)
    )


def _actions(
    planner: Planner,
    drafts: Sequence[ActionDraft],
    host: Host,
    old: Plan,
    evidence: Sequence[ReadEvidence],
) -> tuple[Action, ...]:
    """Build the actions; the values of new and changed ones are checked against the evidence.

    An error names the number of its `draft`.
    """
    if not 0 < len(drafts) <= _MAX_ACTIONS:
        raise Invalid(what=t("board.verb.change"), why=t("board.no_action", most=_MAX_ACTIONS))
    kept = [ActionDraft.of(action.call) for action in old.actions]
    found = []
    for number, draft in enumerate(drafts):
        known = () if draft in kept else evidence
        try:
            found.append(planner.build_action(draft, host, old.category, known))
        except UserError as error:
            error.detail["draft"] = number
            raise
    return tuple(found)


@repeat_on_conflict
def force_action(
    board: BoardContext,
    person: PersonInfo,
    sr_id: int,
    server: str,
    draft: ActionDraft,
    reason: str,
) -> int:
    """Create a task for one action of the catalogue, outside of any plan; return its number.

    The task is approved by the `FORCED` policy in org_chart.yaml, and then executed, verified and,
    on failure, undone by an agent like any other.
    """
    require_permission(person, "directive.force")
    text = require_reason(reason)
    with board.database.reading() as session:
        get_issue(session, sr_id)
        host = registry.host(session, trim(server))
        evidence = plan_history.evidence_of(session, sr_id, host.server_id)
    action = board.planner.build_action(draft, host, Category.FORCED, evidence)
    plan = forced_plan(person, host, action, text)
    board.sign_checkpoint()
    now = board.clock()
    with board.database.transaction() as session:
        issue = get_issue(session, sr_id)
        task = _create_task(session, issue, host, now)
        by = Actor.of(person)
        given = {"tool": action.call.tool, "args": action.call.args}
        directive = rollback.create_directive(session, task, "force", by, text, now, detail=given)
        words = {"sr": sr_id, "who": by.label, "verb": t("board.verb.force")}
        reply_to_room(session, issue, t("board.ordered", **words, reason=text), now, public="")
        rollback.record_directive(session, directive, by, now, host.server_id)
        tasks.store_plan(session, task, plan, by, now)
        return task.task_id


def forced_plan(person: PersonInfo, host: Host, action: Action, reason: str) -> Plan:
    """Build the plan of a forced action, which cites the directive instead of a runbook."""
    because = t_default("board.forced_because", who=_display_name(person), reason=reason)
    title = t_default("board.verb.force")
    return Plan(
        server=host.server_id,
        category=Category.FORCED,
        because=because,
        citation=Citation(
            document="order", title=title, version=1, sha256=digest(because), passage=because
        ),
        actions=(action,),
    )


def _create_task(session: Session, issue: Issue, host: Host, now: datetime) -> Task:
    task = open_task(
        session,
        issue.sr_id,
        now,
        state=State.PARSED,
        server=host.server_id,
        agent_id=choose_agent(session, issue, host),
        engineer_id=issue.assignee_id,
    )
    update_issue_state(session, issue.sr_id, now)
    return task


def choose_agent(session: Session, issue: Issue, host: Host) -> str:
    """Choose the agent: the issue's own, or one with the server's skill, or any operator."""
    query = select(Agent).where(Agent.duty == "operate", Agent.state == "active")
    operators = session.scalars(query.order_by(Agent.agent_id)).all()
    if not operators:
        raise Refused(why=t("board.no_hands"))
    best = min(operators, key=lambda a: (a.agent_id != issue.agent_id, host.kind not in a.skills))
    return best.agent_id


def _display_name(person: PersonInfo) -> str:
    return f"{person.name} {person.title}".strip()
