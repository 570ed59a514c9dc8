"""Carry out `guardia kill`: this host at once, the board as soon as it answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guardia.board.core.local_stop import LocalStop, StopOrder
from guardia.board.core.stop_sockets import HostStopped
from guardia.cli.account import ask_password, authenticate_with
from guardia.cli.operator import CLI_OPERATOR
from guardia.errors import GuardiaError, UserError
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.control.kill_result import KillResult
    from guardia.board.core.context import BoardContext

log = logging.getLogger(__name__)

_SIGN_IN_SECONDS = 3.0
"""How long a named person's sign-in may delay the stop: then it is the operator who stops."""
_SOON = 2.0
"""Seconds after which the person reads what was ended, while the board is still asked."""
_BOARD_SECONDS = 20.0
"""How long the command waits for the board after this host was stopped."""


@dataclass(frozen=True, slots=True)
class KillOutcome:
    """What the command did."""

    lines: tuple[str, ...]
    recorded: bool
    """Whether the board knows of it."""
    holds: bool
    """Whether the stop holds somewhere: on the board, or on this host with nothing left."""


class EmergencyKill:
    """One call of the command. The board is asked in a thread, because it may never answer."""

    def __init__(self, settings: Settings, who: str, reason: str) -> None:
        self._settings = settings
        self._local = LocalStop.of(settings)
        self._who, self._password = who, ask_password(who) if who else ""
        # The name that was given is not proven before the board has answered.
        order = StopOrder.of(CLI_OPERATOR, reason)
        self._order = replace(order, account=f"--as {who}") if who else order
        self._signed_in, self._pressed = threading.Event(), threading.Event()
        self._result: KillResult | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._tell_board, daemon=True)

    def run(self, say: Callable[[str], None]) -> KillOutcome:
        """Stop, and `say` what was reached. Raises `UserError` if the person may not stop."""
        from guardia.board.control import kill_text

        if self._who:
            self._thread.start()
            self._signed_in.wait(_SIGN_IN_SECONDS)
            self._raise_refusal()
        local = self._local.press(self._order)
        self._pressed.set()
        if not self._who:
            self._thread.start()
        self._thread.join(_SOON)
        said = self._thread.is_alive()
        if said:
            say(kill_text.commands_ended(local))
            self._thread.join(_BOARD_SECONDS)
        self._raise_refusal()
        return self._outcome(local, said=said)

    def _raise_refusal(self) -> None:
        if isinstance(self._error, UserError):
            raise self._error

    def _tell_board(self) -> None:
        try:
            self._record()
        except Exception as error:
            self._error = error
        finally:
            self._signed_in.set()

    def _record(self) -> None:
        from guardia.board.control import emergency, kill_switch
        from guardia.cli.installation import open_installation

        # Stopping needs no key: a store that cannot be opened must not prevent it.
        with (
            open_installation(self._settings) as installation,
            installation.board(signing=False) as board,
        ):
            if self._who:
                self._sign_in(board)
            order = self._order
            self._signed_in.set()
            self._pressed.wait()
            self._result = emergency.record_with_reserve(
                self._local, lambda: kill_switch.record(board, order)
            )
            self._local.settle([order])

    def _sign_in(self, board: BoardContext) -> None:
        """Stop in the person's name. Raises `UserError` if they may not stop."""
        from guardia.board.core.actors import Actor
        from guardia.org.access import require_permission

        try:
            person = authenticate_with(board, self._who, self._password)
            require_permission(person, "control.kill")
        except UserError:
            raise
        except Exception as error:
            # A full disk refuses the sign-in, too: then it is the operator who stops.
            log.warning("sign-in not possible: %s", type(error).__name__)
            return
        actor = Actor.of(person)
        self._order = replace(self._order, by=str(actor), label=actor.label, account="")

    def _outcome(self, local: HostStopped, *, said: bool) -> KillOutcome:
        from guardia.board.control import kill_text

        if self._result is not None:
            key = "already" if self._result.already_on else "killed"
            words = {"tasks": self._result.stopped, "undoing": self._result.undoing}
            lines = [t(f"cli.control.{key}", **words)]
            if (local.commands or local.silent) and not said:
                lines.append(kill_text.commands_ended(local))
            return KillOutcome(tuple(lines), recorded=True, holds=local.left + local.silent == 0)
        why = str(self._error) if isinstance(self._error, GuardiaError) else self._reason()
        text = kill_text.what_the_board_knows(local) if said else kill_text.local_outcome(local)
        lines = [text, t("cli.control.not_recorded", why=why)]
        return KillOutcome(tuple(lines), recorded=False, holds=local.is_clear and local.kept)

    def _reason(self) -> str:
        if self._error is None:
            return t("cli.control.no_answer", seconds=round(_BOARD_SECONDS))
        return str(self._error).strip().splitlines()[0][:300]
