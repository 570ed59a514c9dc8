"""Create, change, remove, test and redeliver webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.acting import require_actor
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.webhooks import policy, queueing
from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Invalid, Missing, NotFound
from guardia.i18n import t
from guardia.org.credential_store import CredentialStore
from guardia.org.directory import PersonInfo
from guardia.org.model import Institution, Server
from guardia.text import trim

EDIT, READ = "webhook.edit", "webhook.read"
MAX_SECRET = 200


@dataclass(frozen=True, slots=True)
class HookDraft:
    """What a webhook shall be."""

    url: str
    events: Sequence[str] = ("issues",)
    content_type: str = "json"
    institution: str | None = None
    server: str | None = None
    active: bool = True
    secret: str = ""
    """Empty: a new webhook gets a random one, another keeps its own."""


@repeat_on_conflict
def create(
    board: BoardContext, keys: CredentialStore, by: PersonInfo | Actor, draft: HookDraft
) -> tuple[int, str]:
    """Create a webhook; return its number and its secret, which is not shown again.

    Raises `Invalid` for an address, event or place that cannot be used. Sends a `ping`.
    """
    actor, now = require_actor(by, EDIT), board.clock()
    draft = _checked(draft)
    secret, name = draft.secret or secrets.token_hex(20), f"webhook-{secrets.token_hex(6)}"
    keys.put(name, secret)
    try:
        with board.database.transaction() as session:
            _require_place(session, draft)
            row = Webhook(
                url=draft.url,
                content_type=draft.content_type,
                secret_name=name,
                events=list(draft.events),
                inst_id=draft.institution,
                server_id=draft.server,
                active=draft.active,
                created_by=str(actor),
                created_at=now,
                updated_at=now,
            )
            session.add(row)
            session.flush()
            queueing.ping(session, row, now)
            _log(session, EntryKind.WEBHOOK_ADDED, actor, now, row)
            return row.hook_id, secret
    except BaseException:
        keys.remove(name)
        raise


@repeat_on_conflict
def change(
    board: BoardContext,
    keys: CredentialStore,
    by: PersonInfo | Actor,
    hook_id: int,
    draft: HookDraft,
) -> None:
    """Change a webhook; to make it active again forgets its failures."""
    actor, now = require_actor(by, EDIT), board.clock()
    draft = _checked(draft)
    with board.database.transaction() as session:
        row = _lock(session, hook_id)
        _require_place(session, draft)
        row.url, row.content_type, row.events = draft.url, draft.content_type, list(draft.events)
        row.inst_id, row.server_id, row.updated_at = draft.institution, draft.server, now
        if draft.active and not row.active:
            row.failures, row.disabled_at = 0, None
        row.active = draft.active
        name = row.secret_name
        _log(session, EntryKind.WEBHOOK_CHANGED, actor, now, row)
    if draft.secret:
        keys.put(name, draft.secret)


@repeat_on_conflict
def remove(
    board: BoardContext, keys: CredentialStore, by: PersonInfo | Actor, hook_id: int
) -> None:
    """Remove a webhook with its deliveries."""
    actor, now = require_actor(by, EDIT), board.clock()
    with board.database.transaction() as session:
        row = _lock(session, hook_id)
        name = row.secret_name
        session.delete(row)
        _log(session, EntryKind.WEBHOOK_REMOVED, actor, now, row)
    keys.remove(name)


@repeat_on_conflict
def ping(board: BoardContext, by: PersonInfo | Actor, hook_id: int) -> int:
    """Send a `ping` to a webhook; return the number of the delivery."""
    actor, now = require_actor(by, EDIT), board.clock()
    with board.database.transaction() as session:
        row = _lock(session, hook_id)
        number = queueing.ping(session, row, now)
        _log(session, EntryKind.WEBHOOK_PINGED, actor, now, row)
        return number


@repeat_on_conflict
def redeliver(board: BoardContext, by: PersonInfo | Actor, hook_id: int, delivery_id: int) -> int:
    """Send a delivery again, with the same content; return the number of the new one."""
    actor, now = require_actor(by, EDIT), board.clock()
    with board.database.transaction() as session:
        row = _lock(session, hook_id)
        earlier = session.get(WebhookDelivery, delivery_id)
        if earlier is None or earlier.hook_id != hook_id:
            raise NotFound(what=f"delivery {delivery_id}")
        number = queueing.again(session, earlier, now)
        _log(session, EntryKind.WEBHOOK_REDELIVERED, actor, now, row)
        return number


def _lock(session: Session, hook_id: int) -> Webhook:
    row = session.get(Webhook, hook_id, with_for_update=True)
    if row is None:
        raise NotFound(what=f"webhook {hook_id}")
    return row


def _checked(draft: HookDraft) -> HookDraft:
    url, events = trim(draft.url), tuple(dict.fromkeys(draft.events))
    if not url:
        raise Missing(what=t("webhooks.field.url"))
    if not policy.is_usable_url(url):
        raise Invalid(what=t("webhooks.field.url"), why=t("webhooks.bad_url"))
    known = (*policy.EVENTS, policy.ALL_EVENTS)
    if not events or set(events) - set(known):
        raise Invalid(what=t("webhooks.field.events"), why=", ".join(known))
    if draft.content_type not in policy.CONTENT_TYPES:
        raise Invalid(what="content_type", why=", ".join(policy.CONTENT_TYPES))
    if len(draft.secret) > MAX_SECRET or not draft.secret.isprintable():
        raise Invalid(what=t("webhooks.field.secret"), why=t("webhooks.bad_secret"))
    institution, server = draft.institution or None, draft.server or None
    return replace(draft, url=url, events=events, institution=institution, server=server)


def _require_place(session: Session, draft: HookDraft) -> None:
    if draft.institution and session.get(Institution, draft.institution) is None:
        raise NotFound(what=draft.institution)
    server = session.get(Server, draft.server) if draft.server else None
    if draft.server and (server is None or server.inst_id != draft.institution):
        raise NotFound(what=draft.server)


def _log(session: Session, kind: EntryKind, by: Actor, now: datetime, row: Webhook) -> None:
    url = policy.shown_url(row.url)
    detail = {
        "hook": row.hook_id,
        "url": url,
        "events": row.events,
        "institution": row.inst_id,
        "server": row.server_id,
        "active": row.active,
    }
    log.append(
        session,
        kind,
        actor=str(by),
        now=now,
        detail=detail,
        who=by.label,
        hook=row.hook_id,
        url=url,
    )
