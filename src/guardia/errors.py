"""One tree of errors. The branch says who must act; the Korean sentence says what to do.

Every class has a text ``errors.<ClassName>`` in the catalogue, with its details as placeholders.
"""

from __future__ import annotations

from guardia.i18n import t


class GuardiaError(Exception):
    """Something GUARDiA could not do. ``detail`` fills the text's placeholders."""

    def __init__(self, **detail: object) -> None:
        self.detail = detail
        super().__init__(t(f"errors.{type(self).__name__}", **detail))


class UserError(GuardiaError):
    """The person who asked must act: correct the input, or ask for a right."""


class OperatorError(GuardiaError):
    """Whoever runs this installation must act: settings, database, network."""


class ModelError(GuardiaError):
    """A model answered something unusable; the embedded brain takes over."""


class ProgrammerError(GuardiaError):
    """The code is wrong: report it with the trace."""


class NotFound(UserError):
    """No such thing, or not visible to this person. Details: ``what``."""


class Forbidden(UserError):
    """This person or agent has not the right. Details: ``who``, ``action``."""


class Invalid(UserError):
    """The input does not hold. Details: ``what``, ``why``."""


class Missing(Invalid):
    """A required value is empty. Details: ``what``."""


class NoSuchAssignee(Invalid):
    """No active specialist or engineer has this id. Details: ``what``."""


class SignInFailed(Forbidden):
    """Unknown account or wrong password; which of them is not told."""


class Throttled(UserError):
    """Too many failures in a short time; wait."""


class Stale(UserError):
    """Someone decided otherwise meanwhile; read again. Details: ``what``."""


class Interrupted(Stale):
    """A person's order ended what was running. Details: ``what``."""


class Exhausted(Stale):
    """An agent's budget is used up; it rests until people raise it. Details: ``what``."""


class IllegalMove(UserError):
    """The lifecycle has no such move from here. Details: ``state``, ``move``."""


class Refused(UserError):
    """The gate does not run this. Details: ``why``."""


class Forged(Refused):
    """The tables say what the record does not: somebody has written past the desk."""


class Unreachable(OperatorError):
    """A server does not answer. Details: ``server``, ``why``."""


class CommandFailed(OperatorError):
    """A remote command ended badly. Details: ``tool``, ``exit``, ``output`` (masked, bounded)."""


class Misconfigured(OperatorError):
    """A setting or file is wrong. Details: ``what``, ``why``."""


class TokenNeeded(UserError):
    """No token, or one that is unknown, over or closed."""


class NoCallsLeft(UserError):
    """A run has used up the requests that its chart allows. Details: ``limit``."""
