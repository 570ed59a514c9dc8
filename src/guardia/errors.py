"""The exception tree. The branch says who must act; the Korean message says what to do.

Every class has a text `errors.<ClassName>` in the catalogue, with its details as placeholders.
"""

from __future__ import annotations

from guardia.i18n import t


class GuardiaError(Exception):
    """Base class. `detail` fills the text's placeholders."""

    def __init__(self, **detail: object) -> None:
        self.detail = detail
        super().__init__(t(f"errors.{type(self).__name__}", **detail))


class UserError(GuardiaError):
    """The person who made the request must act: correct the input, or ask for a permission."""


class OperatorError(GuardiaError):
    """The operator of this installation must act: settings, database, network."""


class ModelError(GuardiaError):
    """A model gave an unusable answer; the embedded brain takes over."""


class ProgrammerError(GuardiaError):
    """A bug: report it with the traceback."""


class NotFound(UserError):
    """No such thing, or not visible to this person. Details: `what`."""


class Forbidden(UserError):
    """This person or agent lacks the permission. Details: `who`, `action`."""


class Invalid(UserError):
    """The input is not valid. Details: `what`, `why`."""


class Missing(Invalid):
    """A required value is empty. Details: `what`."""


class NoSuchAssignee(Invalid):
    """No active specialist or engineer has this id. Details: `what`."""


class SignInFailed(Forbidden):
    """Unknown account or wrong password; the text does not reveal which."""


class SignInRefused(UserError):
    """What a provider of sign-ins answered does not prove who someone is. Details: `why`."""


class SignInUnavailable(OperatorError):
    """The directory or provider that proves people does not answer. Details: `why`."""


class PasskeyUnavailable(UserError):
    """Browsers offer no passkeys at this address of the board. Details: `why`."""


class PasskeyMissing(UserError):
    """The person has registered no passkey for this address of the board."""


class PasskeyNeeded(UserError):
    """This decision is valid only with a passkey, on the page. Details: `what`, `link`."""


class PasskeyRejected(UserError):
    """The answer of a passkey does not count. Details: `why`."""


class Throttled(UserError):
    """Too many failures in a short time; wait."""


class Unserved(OperatorError):
    """No worker answers now. Details: `why`."""


class TooOften(UserError):
    """More requests a minute than the settings allow. Details: `seconds` to wait."""


class Stale(UserError):
    """The state has changed since it was read; read again. Details: `what`."""


class Interrupted(Stale):
    """A person's directive ended the running work. Details: `what`."""


class Exhausted(Stale):
    """An agent's budget is used up; it is paused until people raise it. Details: `what`."""


class ServerBusy(Stale):
    """Another change of the server is running; the task starts after it. Details: `what`."""


class IllegalMove(UserError):
    """The lifecycle has no such move from this state. Details: `state`, `move`."""


class Refused(UserError):
    """The gate does not run this. Details: `why`."""


class SecondPersonNeeded(Refused):
    """A right was asked for that a second person must allow first. Details: `numbers`."""


class PasswordChangeNeeded(UserError):
    """The password is a one-time password or too old; nothing else is possible until then."""


class RuleBroken(Refused):
    """A rule of the site forbids the change: wait, do what it demands, or ask for an exception.
    Details: `why`.
    """


class Forged(Refused):
    """The tables contradict the audit log: they were changed without the board."""


class Unreachable(OperatorError):
    """A server does not respond. Details: `server`, `why`."""


class ServerBlocked(Unreachable):
    """No command may run on a server until a person confirms it. Details: `server`, `why`."""


class NotTransferred(Unreachable):
    """A file did not arrive on a server; nothing there has changed. Details: `server`, `why`."""


class CommandFailed(OperatorError):
    """A remote command failed. Details: `tool`, `exit`, `output` (masked, bounded)."""


class Unreadable(CommandFailed):
    """A server's answer does not fit what the tool reads. Details: `tool`, `seen` (bounded)."""


class Unsettled(CommandFailed):
    """A command may have run; its result is not known. Details: `tool`, `why`."""


class Misconfigured(OperatorError):
    """A setting or file is wrong. Details: `what`, `why`."""


class PartEnded(OperatorError):
    """A part of this process has ended on its own, so the process ends. Details: `what`."""


class ClockOff(OperatorError):
    """A clock is wrong, so this host does not work. Details: `key`, `seconds`, `limit`."""

    def __init__(self, *, key: str, seconds: int, limit: str) -> None:
        why = t(f"db.clock.{key}", seconds=abs(seconds), direction=t(_DIRECTION[seconds > 0]))
        super().__init__(why=why, limit=limit)


_DIRECTION = {True: "db.clock.ahead", False: "db.clock.behind"}


class StoppedLocally(OperatorError):
    """The kill switch stopped this host, and the database does not know yet. Details: `why`."""


class StoreFull(OperatorError):
    """The store of uploads or its disk has no room. Details: `why`."""


class TokenNeeded(UserError):
    """The token is missing, unknown, expired or revoked."""


class NoCallsLeft(UserError):
    """A run has used all requests that its chart allows. Details: `limit`."""
