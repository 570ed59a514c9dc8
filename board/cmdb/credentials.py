"""Credentials of servers: which are used, and what the audit log says of them; never a secret."""

from __future__ import annotations

import re

from sqlalchemy import select

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.directory import Host, PersonInfo
from guardia.org.model import Server

MANAGE = "credential.manage"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENCRYPTED = ("-----BEGIN ENCRYPTED", "Proc-Type: 4,ENCRYPTED", "PuTTY-User-Key-File")


def require_usable(name: str, secret: str) -> str:
    """Return whether a secret is a `key` or a `password`. Raises `Invalid` if it can be neither."""
    if not _NAME.fullmatch(name):
        raise Invalid(what=name[:80], why=t("cmdb.rule.credential"))
    if any(mark in secret for mark in _ENCRYPTED):
        raise Invalid(what=name, why=t("cmdb.rule.encrypted_key"))
    if secret.startswith(("ssh-", "ecdsa-", "-----BEGIN PUBLIC")):
        raise Invalid(what=name, why=t("cmdb.rule.public_key"))
    if "PRIVATE KEY-----" in secret:
        return "key"
    if "\n" in secret.strip() or len(secret) > 1000:
        raise Invalid(what=name, why=t("cmdb.rule.secret_lines"))
    return "password"


def require_unused(board: BoardContext, name: str) -> None:
    """Raise `Invalid` if a server names this credential."""
    with board.database.reading() as session:
        for row in session.scalars(select(Server).order_by(Server.server_id)):
            if name in used_by(registry.host_of(row)):
                raise Invalid(what=name, why=t("cmdb.rule.credential_used", server=row.server_id))


def used_by(host: Host) -> frozenset[str]:
    """Return the names of all credentials that a server's entry uses."""
    named = [host.credential, host.login.second_factor, host.login.sudo_credential]
    named += [service.credential or "" for service in host.services]
    return frozenset(name for name in named if name)


@repeat_on_conflict
def record(
    board: BoardContext, by: PersonInfo | Actor, name: str, kind: str, *, removed: bool
) -> None:
    """Log that a credential was stored or removed."""
    actor = require_actor(by, MANAGE)
    with board.database.transaction() as session:
        log.append(
            session,
            EntryKind.CREDENTIAL_REMOVED if removed else EntryKind.CREDENTIAL_STORED,
            actor=str(actor),
            now=board.clock(),
            detail={"name": name, "kind": kind},
            name=name,
            what=t_default(f"cmdb.secret.{kind}") if kind else "",
        )
