"""Commands that begin or stop work: on a server, of an agent, everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta

from guardia.board.command.execution.order import Order, Outcome, issue_path
from guardia.board.command.sentences import target_name
from guardia.board.control import kill_switch, kill_text, reanalysis, requested_work
from guardia.board.control.requested_work import WorkOrigin
from guardia.board.core.actors import Actor
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import format_time, label
from guardia.board.organization import agent_control
from guardia.i18n import t
from guardia.org.access import require_permission

_DAY_MINUTES = 1440


def run_action(order: Order) -> Outcome:
    """Open an issue for one action on one server."""
    action_type = str(order.command.params["action_type"])
    key = f"command:{order.command_id}"
    origin = WorkOrigin(order.channel, key, order.words, order.room, order.thread)
    starts_at = _start(order)
    sr_id = requested_work.request_work(
        order.board, order.person, order.target, action_type, origin, starts_at
    )
    words = {"sr": issue_ref(sr_id), "work": label("commands.work_name", action_type)}
    text = t("commands.done.run_action", server=order.target, **words)
    if starts_at is not None:
        text += " " + t("commands.done.run_action_later", at=format_time(starts_at, "short"))
    return Outcome(text, sr_id, issue_path(sr_id))


def _start(order: Order) -> datetime | None:
    """Return when the work may begin; `None`: as soon as it may."""
    at = order.command.params.get("at")
    start = datetime.fromisoformat(at) if at else None
    return start if start and start > order.board.current_time() else None


def reanalyze(order: Order) -> Outcome:
    """Diagnose an issue again, or the recent ones of a server."""
    if order.command.sr_id is None:
        return _reanalyze_recent(order)
    count = reanalysis.reanalyze(
        order.board, order.person, order.sr_id, order.words, order.command.target
    )
    text = t("commands.done.reanalyze", sr=issue_ref(order.sr_id), count=count)
    return Outcome(text, order.sr_id, issue_path(order.sr_id))


def _reanalyze_recent(order: Order) -> Outcome:
    minutes = int(order.command.params.get("since_minutes", _DAY_MINUTES))
    begun, left = reanalysis.reanalyze_recent(
        order.board, order.person, order.target, timedelta(minutes=minutes), order.words
    )
    words = {"server": order.target, "minutes": minutes}
    path = f"/servers/{order.target}"
    if not begun and not left:
        return Outcome(t("commands.no_recent", **words), None, path)
    numbers = ", ".join(map(issue_ref, begun)) or "-"
    lines = [t("commands.done.reanalyze_recent", count=len(begun), numbers=numbers, **words)]
    lines += [t("commands.left", sr=issue_ref(sr), why=why) for sr, why in left.items()]
    first = begun[0] if len(begun) == 1 else None
    return Outcome("\n".join(lines), first, issue_path(first) if first else path)


def wake(order: Order) -> Outcome:
    """Have an agent look for work now."""
    agent_control.wake_now(order.board, order.target, Actor.of(order.person))
    text = t("commands.done.wake", agent=target_name(order.names, order.target))
    return Outcome(text, None, f"/agents/{order.target}")


def kill_all(order: Order) -> Outcome:
    """Stop everything at once."""
    killed = kill_switch.kill(order.board, order.person, order.words)
    if killed.local is not None:
        return Outcome(kill_text.local_outcome(killed.local), None, "/control")
    key = "already" if killed.already_on else "kill_all"
    text = t(f"commands.done.{key}", tasks=killed.stopped, undoing=killed.undoing)
    return Outcome(text, None, "/control")


def release_all(order: Order) -> Outcome:
    """Lift the emergency stop."""
    require_permission(order.person, "control.release")
    kill_switch.release(order.board, order.person, order.words)
    return Outcome(t("commands.done.release_all"), None, "/control")
