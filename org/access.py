"""Roles, the permission table, passwords and sessions."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from guardia.errors import Forbidden, NotFound
from guardia.i18n import t
from guardia.org import known_devices
from guardia.org.account_model import AccountState
from guardia.org.account_policy import PASSWORD_CHANGE, AccountPolicy
from guardia.org.directory import PersonInfo
from guardia.org.model import LoginSession, Person

ROLES = ("customer", "engineer", "team_lead", "pm", "security_officer", "admin", "auditor")
_EVERYONE = frozenset(ROLES)
_STAFF = _EVERYONE - {"customer"}
_OPERATING = _STAFF - {"auditor"}
_APPROVERS = frozenset({"team_lead", "pm", "security_officer", "admin"})

PERMISSIONS: dict[str, frozenset[str]] = {
    "session.end": _EVERYONE,
    "session.own": _EVERYONE,
    "password.own": _EVERYONE,
    "person.read": frozenset({"admin", "security_officer", "auditor"}),
    "person.manage": frozenset({"admin"}),
    "right.read": frozenset({"admin", "security_officer", "auditor"}),
    "right.decide": frozenset({"admin", "security_officer"}),
    "right.review": frozenset({"admin", "security_officer"}),
    "token.manage": frozenset({"admin", "security_officer"}),
    "team.edit": frozenset({"admin"}),
    "org.edit": frozenset({"admin"}),
    "agent.control": frozenset({"team_lead", "pm", "admin"}),
    "channel.read": frozenset({"admin", "security_officer", "auditor"}),
    "channel.test": frozenset({"admin"}),
    "worker.read": _STAFF,
    "token.own": _EVERYONE,
    "account.link": frozenset({"admin"}),
    "account.link_own": _EVERYONE,
    "passkey.own": _EVERYONE,
    "passkey.remove": frozenset({"admin"}),
    "home.read": _EVERYONE,
    "home.set_role": frozenset({"admin"}),
    "issue.read": _EVERYONE,
    "issue.create": _EVERYONE - {"auditor"},
    "issue.comment": _EVERYONE - {"auditor"},
    "issue.edit": _EVERYONE - {"auditor"},
    "issue.organize": _OPERATING,
    "issue.lock": _APPROVERS,
    "label.edit": _APPROVERS,
    "issue.assign": _OPERATING,
    "queue.read": _STAFF,
    "alert.read": _STAFF,
    "maintenance.read": _STAFF,
    "maintenance.edit": _OPERATING,
    "service.read": _STAFF,
    "calendar.edit": frozenset({"team_lead", "pm", "admin"}),
    "issue.rate": frozenset({"customer"}) | _OPERATING,
    "form.read": _EVERYONE,
    "form.edit": frozenset({"pm", "admin"}),
    "paper.read": _EVERYONE,
    "paper.edit": frozenset({"pm", "admin"}),
    "change.read": _STAFF,
    "calendar_feed.own": _STAFF,
    "plan.read": _STAFF,
    "control.kill": _OPERATING,
    "control.release": _APPROVERS - {"team_lead"},
    "directive.abort": _OPERATING,
    "directive.pause": _OPERATING,
    "directive.resume": _OPERATING,
    "directive.manual": _OPERATING,
    "directive.return": _OPERATING,
    "directive.reanalyze": _OPERATING,
    "agent.wake": _OPERATING,
    "issue.escalate": _OPERATING,
    "command.give": _EVERYONE - {"auditor"},
    "directive.complete": _OPERATING,
    "directive.reassign": _OPERATING,
    "directive.priority": _OPERATING,
    "directive.change": _OPERATING,
    "directive.rollback": _APPROVERS,
    "run.read": _STAFF,
    "directive.force": _APPROVERS,
    "issue.reopen": _EVERYONE - {"auditor"},
    "issue.accept": _EVERYONE - {"auditor"},
    "directive.override": _APPROVERS,
    "directive.reopen": _OPERATING,
    "stall.lift": _OPERATING,
    "approval.decide": _APPROVERS,
    "approval.decide_own": frozenset({"engineer"}),
    "approval.answer": _OPERATING,
    "delegation.set": _APPROVERS,
    "goal.read": _STAFF,
    "goal.give": _APPROVERS,
    "goal.decide": _APPROVERS,
    "agent.read": _STAFF,
    "note.edit": _OPERATING,
    "hire.decide": frozenset({"pm", "admin"}),
    "delegation.set_others": frozenset({"admin"}),
    "audit.read": _STAFF,
    "org.read": _STAFF,
    "audit.verify": _STAFF,
    "costs.read": _STAFF,
    "autonomy.read": _STAFF,
    "rule.read": _STAFF,
    "rule.edit": frozenset({"team_lead", "admin"}),
    "standing.read": _STAFF,
    "standing.decide": _APPROVERS,
    "document.read": _EVERYONE,
    "document.edit": _OPERATING,
    "document.review": _APPROVERS,
    "document.remove": _APPROVERS,
    "artifact.read": _STAFF,
    "artifact.add": _OPERATING,
    "artifact.remove": _APPROVERS,
    "rollout.read": _STAFF,
    "rollout.plan": _OPERATING,
    "rollout.run": _OPERATING,
    "remote.read": _STAFF,
    "remote.run": _OPERATING,
    "budget.raise": frozenset({"pm", "admin"}),
    "institution.edit": frozenset({"admin"}),
    "server.read": _STAFF,
    "server.inspect": _OPERATING,
    "server.edit": frozenset({"engineer", "admin"}),
    "server.remove": frozenset({"admin"}),
    "server.confirm_key": frozenset({"engineer", "security_officer", "admin"}),
    "tool.read": _STAFF,
    "cmdb.read": _STAFF,
    "cmdb.apply": frozenset({"admin"}),
    "roster.read": _STAFF,
    "talk.read": _APPROVERS,
    "talk.edit": frozenset({"team_lead", "admin"}),
    "notice.own": _EVERYONE,
    "notice.read": _APPROVERS | {"auditor"},
    "notice.acknowledge": _OPERATING,
    "roster.edit": frozenset({"team_lead", "pm", "admin"}),
    "webhook.read": frozenset({"security_officer", "admin", "auditor"}),
    "webhook.edit": frozenset({"admin"}),
}
"""Roles by action. An action that is not listed is allowed to no role.

`approval.decide` is the right itself, `approval.decide_own` that of engineers on plans for servers
that they own; `approval.answer` also covers a delegated right. A customer edits, reopens and
accepts only own requests.
"""

OPERATOR_ACTIONS = frozenset(
    {
        "agent.serve",
        "alert.read",
        "artifact.read",
        "calendar.edit",
        "change.read",
        "form.edit",
        "form.read",
        "paper.edit",
        "paper.read",
        "service.read",
        "audit.acknowledge",
        "audit.verify",
        "autonomy.read",
        "cmdb.apply",
        "cmdb.read",
        "costs.read",
        "database.operate",
        "demo.run",
        "document.read",
        "installation.run",
        "issue.read",
        "keys.operate",
        "maintenance.edit",
        "maintenance.read",
        "lab.operate",
        "notice.read",
        "agent.control",
        "org.apply",
        "org.read",
        "org.validate",
        "queue.read",
        "remote.read",
        "rollout.read",
        "roster.edit",
        "roster.read",
        "run.read",
        "rule.read",
        "standing.read",
        "person.manage",
        "person.read",
        "right.read",
        "worker.read",
        "channel.read",
        "channel.test",
        "team.edit",
        "audit.read",
        "credential.manage",
        "institution.edit",
        "server.confirm_key",
        "server.edit",
        "server.inspect",
        "server.read",
        "server.remove",
        "talk.read",
        "tool.read",
        "version.read",
        "webhook.edit",
        "webhook.read",
    }
)
"""Actions that the operator may do on the command line without signing in, because the operator's
account owns the installation's files and database anyway. Never a decision: decisions take a
person's password."""


class PermissionScope(StrEnum):
    """How far a permission reaches."""

    ALL = "all"
    INSTITUTION = "institution"
    """Only what belongs to the person's own institution."""


FAILURES = "failures"
"""`AccountState.lock_reason` after too many failed sign-ins."""
SESSION_LIFETIME = timedelta(hours=12)
_HASHER = PasswordHasher()
# Verified against if the account does not exist, so that both cases take equally long. No password
# is known that has it; making a real one would cost every process a tenth of a second.
_DUMMY_HASH = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    f"${'A' * 22}${'A' * 43}"
)
# Built once: composing it takes longer than running it.
_SESSION = (
    select(LoginSession, Person, AccountState)
    .join(Person, Person.person_id == LoginSession.person_id)
    .outerjoin(AccountState, AccountState.person_id == LoginSession.person_id)
    .where(LoginSession.token_hash == bindparam("digest"))
)


def permission_scope(role: str, action: str) -> PermissionScope | None:
    """Return how far a role's permission reaches, or `None` if the role lacks it."""
    if role not in PERMISSIONS.get(action, frozenset()):
        return None
    return PermissionScope.INSTITUTION if role == "customer" else PermissionScope.ALL


def is_allowed(person: PersonInfo, action: str, *, institution: str | None = None) -> bool:
    """Return whether a person may do an action; unknown actions are refused.

    Customers may act only within their own institution.
    """
    scope = permission_scope(person.role, action)
    if scope is None or (
        person.allowed_actions is not None and action not in person.allowed_actions
    ):
        return False
    return scope is PermissionScope.ALL or institution is None or institution == person.institution


def require_operator(action: str) -> None:
    """Raise `Forbidden` unless the command line may do this without a person."""
    if action not in OPERATOR_ACTIONS:
        raise Forbidden(who="operator", action=action)


def permissions_as_markdown() -> str:
    """Return the permission table as docs/security.md shows it."""
    columns = (*ROLES, "operator")
    lines = ["| action | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for action in sorted({*PERMISSIONS, *OPERATOR_ACTIONS}):
        cells = [str(permission_scope(role, action) or "") for role in ROLES]
        cells.append(str(PermissionScope.ALL) if action in OPERATOR_ACTIONS else "")
        lines.append(f"| `{action}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def require_permission(person: PersonInfo, action: str, *, institution: str | None = None) -> None:
    """Raise `Forbidden` unless `is_allowed`."""
    if not is_allowed(person, action, institution=institution):
        raise Forbidden(who=f"{person.name} {person.title}", action=_action_label(action))


def _action_label(action: str) -> str:
    try:
        return t(f"org.right.{action}")
    except KeyError:
        return action


def set_password(session: Session, person_id: str, password: str) -> None:
    """Replace a person's password (stored as argon2id) and end their sessions."""
    row = session.get(Person, person_id)
    if row is None:
        raise NotFound(what=person_id)
    row.password_hash = _HASHER.hash(password)
    end_sessions(session, person_id)


def is_password(password_hash: str | None, password: str) -> bool:
    """Return whether a password is the hashed one; takes equally long without a hash."""
    try:
        _HASHER.verify(password_hash or _DUMMY_HASH, password)
    except VerificationError:
        return False
    return bool(password_hash)


def is_usable(row: Person | None, state: AccountState | None, now: datetime) -> bool:
    """Return whether an account is open, not expired, and not locked by a person.

    A lock after failures only refuses to sign in, so that strangers end no one's sessions.
    """
    if row is None or not row.active:
        return False
    if state is None:
        return True
    locked = state.locked_until is not None and state.lock_reason != FAILURES
    return not locked and (state.expires_at is None or state.expires_at > now)


def open_session(session: Session, person_id: str, now: datetime, **facts: Any) -> str:
    """Open a session and return its token; `facts` are further columns."""
    token = secrets.token_urlsafe(32)
    session.execute(delete(LoginSession).where(LoginSession.expires_at < now))
    session.add(
        LoginSession(
            token_hash=_digest(token),
            person_id=person_id,
            created_at=now,
            used_at=now,
            expires_at=now + SESSION_LIFETIME,
            **facts,
        )
    )
    session.flush()
    return token


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session that is valid now."""

    person: PersonInfo
    number: int
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    """When it ends in any case."""
    previous_at: datetime | None
    previous_from: str
    failures: int


def find_session(
    session: Session, token: str, now: datetime, policy: AccountPolicy
) -> SessionInfo | None:
    """Return a session, or `None` if it is unknown, has ended or was idle, or the account closed.

    Until a one-time or old password is changed, the person may do nothing else.
    """
    found = session.execute(_SESSION, {"digest": _digest(token)}).one_or_none()
    if found is None:
        return None
    row, person, state = found
    ends = policy.session_ends(person.role, row.used_at, row.expires_at)
    if ends <= now or not is_usable(person, state, now):
        return None
    info = person.as_info()
    if must_change_password(state, policy, now):
        info = info.model_copy(update={"allowed_actions": PASSWORD_CHANGE})
    times = row.created_at, row.used_at, row.expires_at
    facts = row.previous_at, row.previous_from, row.failures
    return SessionInfo(info, row.session_id, *times, *facts)


def must_change_password(state: AccountState | None, policy: AccountPolicy, now: datetime) -> bool:
    """Return whether the password is a one-time password or too old."""
    if state is None:
        return False
    ends = policy.password_expires(state.password_changed_at)
    return state.must_change or (ends is not None and ends <= now)


def touch_session(session: Session, token: str, now: datetime) -> None:
    """Note that the person of a session has done something."""
    same = LoginSession.token_hash == _digest(token)
    session.execute(update(LoginSession).where(same).values(used_at=now))


def person_of_session(
    session: Session, token: str, now: datetime, policy: AccountPolicy | None = None
) -> PersonInfo | None:
    """Return the owner of a session, or `None` if it is not valid: see `find_session`."""
    found = find_session(session, token, now, policy or AccountPolicy())
    return found.person if found else None


def sign_out(session: Session, token: str) -> None:
    """End a session."""
    session.execute(delete(LoginSession).where(LoginSession.token_hash == _digest(token)))


def end_sessions(session: Session, person_id: str) -> None:
    """End all sessions of a person and forget the devices on which they signed in."""
    session.execute(delete(LoginSession).where(LoginSession.person_id == person_id))
    known_devices.forget_all(session, person_id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
