"""Commands on one issue that are directives: they outrank agents on all tasks that accept them."""

from __future__ import annotations

from guardia.board.command.execution.order import Order, Outcome, issue_path
from guardia.board.command.sentences import target_name
from guardia.board.command.structure import Command
from guardia.board.control import directives
from guardia.board.control.directive_context import DirectiveRequest
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.errors import Refused, UserError
from guardia.i18n import t


def reassign(order: Order) -> Outcome:
    """Give an issue to a person or an agent."""
    before = _issue(order)
    is_agent = any(a.id == order.target for a in order.names.directory.agents)
    previous = before.agent_id if is_agent else before.assignee_id
    _direct(order, "reassign", order.target)
    undo = Command("reassign", order.sr_id, previous) if previous else None
    return _done(order, "reassign", undo, target=target_name(order.names, order.target))


def set_mode(order: Order) -> Outcome:
    """Hand an issue to people, or back to its agents."""
    mode = order.command.params["mode"]
    _direct(order, "manual" if mode == "manual" else "return")
    return _done(order, f"set_mode_{mode}")


def abort(order: Order) -> Outcome:
    """End the work of an issue; what was begun is undone and verified."""
    _direct(order, "abort")
    return _done(order, "abort")


def rollback(order: Order) -> Outcome:
    """Undo the completed work of an issue."""
    _direct(order, "rollback")
    return _done(order, "rollback")


def pause(order: Order) -> Outcome:
    """Suspend an issue."""
    _direct(order, "pause")
    return _done(order, "pause", Command("resume", order.sr_id))


def resume(order: Order) -> Outcome:
    """Continue a suspended issue."""
    _direct(order, "resume")
    return _done(order, "resume", Command("pause", order.sr_id))


def set_priority(order: Order) -> Outcome:
    """Change the priority of an issue."""
    wanted, previous = order.command.params["priority"], _issue(order).priority
    # One directive is enough: the priority belongs to the issue.
    _direct(order, "priority", wanted, most=1)
    params = {"priority": previous}
    undo = Command("set_priority", order.sr_id, None, params) if previous else None
    return _done(order, "set_priority", undo, priority=wanted, before=previous or "-")


def effect(order: Order, verb: str) -> str:
    """Return what a directive would do now, for its confirmation.

    Raises `Refused` if no task accepts it.
    """
    issue = _issue(order)
    tasks = _eligible(order, verb, issue)
    words = {"sr": issue_ref(order.sr_id), "title": issue.title, "count": len(tasks)}
    consequence = t(f"board.consequence.{verb}{_running(order, issue, verb)}")
    return f"{t('commands.effect.tasks', **words)} {consequence}"


def _running(order: Order, issue: Issue, verb: str) -> str:
    return "_running" if verb == "abort" and issue.status == "IN_PROGRESS" else ""


def _issue(order: Order) -> Issue:
    """Return the issue. Raises `NotFound` if there is none for this person."""
    with order.board.database.reading() as session:
        return visibility.find_issue(session, order.person, order.sr_id)


def _eligible(order: Order, verb: str, issue: Issue) -> list[int]:
    tasks = directives.eligible_tasks(order.board, order.sr_id, verb)
    if not tasks:
        words = {"sr": issue_ref(order.sr_id), "state": t(f"state.{issue.status}")}
        raise Refused(why=t("commands.not_now", verb=t(f"board.verb.{verb}"), **words))
    return tasks


def _direct(order: Order, verb: str, argument: str = "", *, most: int | None = None) -> None:
    """Give a directive to every task that accepts it, the newest state decides.

    Raises the refusal of the first task; one of a later task says how many were done before.
    """
    tasks = _eligible(order, verb, _issue(order))[:most]
    request = DirectiveRequest(verb, order.words, argument)
    for done, task_id in enumerate(tasks):
        try:
            directives.issue_directive(order.board, order.person, task_id, request)
        except UserError as error:
            if not done:
                raise
            words = {"done": done, "count": len(tasks), "why": str(error)}
            raise Refused(why=t("commands.partly", **words)) from error


def _done(order: Order, key: str, undo: Command | None = None, **words: str) -> Outcome:
    text = t(f"commands.done.{key}", sr=issue_ref(order.sr_id), **words)
    return Outcome(text, order.sr_id, issue_path(order.sr_id), undo)
