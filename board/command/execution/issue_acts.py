"""Commands on one issue that are not directives: comment, escalate, decide on the page."""

from __future__ import annotations

from urllib.parse import urlencode

from guardia.board.approvals import pending
from guardia.board.approvals.summary import decision_summary
from guardia.board.command.execution.order import Order, Outcome, issue_path
from guardia.board.control import escalation
from guardia.board.core.actors import Actor
from guardia.board.core.issue_ref import issue_ref
from guardia.board.issues import comments, visibility
from guardia.i18n import t


def comment(order: Order) -> Outcome:
    """Add a comment to an issue."""
    visibility.require_issue(order.board, order.person, order.sr_id)
    author = Actor.of(order.person)
    comments.add_comment(order.board, order.sr_id, author, str(order.command.params["body"]))
    text = t("commands.done.comment", sr=issue_ref(order.sr_id))
    return Outcome(text, order.sr_id, issue_path(order.sr_id))


def escalate(order: Order) -> Outcome:
    """Raise an issue to a person or role."""
    named = escalation.escalate(order.board, order.person, order.sr_id, order.target, order.words)
    text = t("commands.done.escalate", sr=issue_ref(order.sr_id), target=named)
    return Outcome(text, order.sr_id, issue_path(order.sr_id))


def decide(order: Order) -> Outcome:
    """Lead to the page where the plan that waits is decided; words decide nothing.

    The address carries the hash of the plan that the summary shows: should another plan wait by
    then, the form on the page is locked until the person has seen the difference.
    """
    visibility.require_issue(order.board, order.person, order.sr_id)
    plans = pending.pending_plans(order.board, order.sr_id)
    sr = issue_ref(order.sr_id)
    if not plans:
        return Outcome(t("commands.nothing_waits", sr=sr), order.sr_id, issue_path(order.sr_id))
    lines = [line for p in plans for line in decision_summary(p.plan, p.plan_hash)]
    lines.append(t(f"commands.decide_there.{order.command.action}", sr=sr))
    bound = urlencode([("bound", f"decision-{p.task_id} {p.plan_hash}") for p in plans])
    return Outcome("\n".join(lines), order.sr_id, f"{issue_path(order.sr_id)}?{bound}")
