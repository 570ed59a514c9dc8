"""Sentences about a stop that has reached only this host."""

from __future__ import annotations

from guardia.board.control.kill_result import KillResult
from guardia.board.core.stop_sockets import HostStopped
from guardia.errors import StoppedLocally
from guardia.i18n import t


def require_recorded(result: KillResult) -> None:
    """Raise `StoppedLocally` with what was reached if the board does not know of the stop."""
    if result.local is not None:
        raise StoppedLocally(why=local_outcome(result.local))


def local_outcome(local: HostStopped) -> str:
    """Say honestly what was ended, what may be left, and what the board does not know."""
    return f"{commands_ended(local)} {what_the_board_knows(local)}"


def what_the_board_knows(local: HostStopped) -> str:
    """Say that the board does not know yet, and when it will."""
    return t("board.local_stop.kept" if local.kept else "board.local_stop.not_kept")


def commands_ended(local: HostStopped) -> str:
    """Say what was ended on this host, and what may be left."""
    if not local.workers and not local.silent:
        return t("board.local_stop.no_worker")
    text = t("board.local_stop.ended", commands=local.commands, workers=local.workers)
    if local.left:
        text += " " + t("board.local_stop.left", left=local.left)
    if local.silent:
        text += " " + t("board.local_stop.silent", silent=local.silent)
    return text
