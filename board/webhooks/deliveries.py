"""The work on deliveries: make an attempt, try again after a pause, disable what always fails."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.github_api.addresses import Addresses
from guardia.board.webhooks import payloads, policy, queueing, sending
from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.board.webhooks.sending import AttemptResult, Envelope
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.org.credential_store import CredentialStore
from guardia.org.model import Person

_BATCH = 100


def attempt(
    board: BoardContext, keys: CredentialStore, origin: str, delivery_id: int, *, local: bool
) -> None:
    """Make one attempt at a delivery that waits, and record how it ended.

    At least once: a crash between both sends it again, with the same `X-GitHub-Delivery`.
    """
    found = _load(board, origin, delivery_id)
    if found is None:
        return
    new, secret_name = found
    if not new.url:
        outcome = AttemptResult(error="disabled")
    else:
        outcome = _send(new, keys, secret_name, local=local)
    _record(board, delivery_id, new, outcome)


def _send(new: Envelope, keys: CredentialStore, secret_name: str, *, local: bool) -> AttemptResult:
    try:
        return sending.send(new, keys.get(secret_name), local=local)
    except Misconfigured:
        return AttemptResult(error="no_secret")


def _load(board: BoardContext, origin: str, delivery_id: int) -> tuple[Envelope, str] | None:
    with board.database.reading() as session:
        row = session.get(WebhookDelivery, delivery_id)
        hook = session.get(Webhook, row.hook_id) if row is not None else None
        if row is None or hook is None or row.state != "PENDING":
            return None
        if not hook.active and row.event != "ping":
            return Envelope("", {}, b""), hook.secret_name
        if row.request:
            body = str(row.request["body"]).encode()
            return Envelope(hook.url, dict(row.request["headers"]), body), hook.secret_name
        content = payloads.payload(session, Addresses(origin.rstrip("/")), hook, row)
        new = sending.envelope(
            hook.url, hook.content_type, hook.hook_id, row.guid, row.event, content
        )
        return new, hook.secret_name


@repeat_on_conflict
def _record(board: BoardContext, delivery_id: int, new: Envelope, outcome: AttemptResult) -> None:
    now = board.clock()
    with board.database.transaction() as session:
        row = session.get(WebhookDelivery, delivery_id, with_for_update=True)
        hook = session.get(Webhook, row.hook_id, with_for_update=True) if row else None
        if row is None or hook is None or row.state != "PENDING":
            return
        row.attempts, row.delivered_at, row.next_at = row.attempts + 1, now, None
        row.status_code, row.error = outcome.status, outcome.error
        row.response, row.milliseconds = outcome.response, outcome.milliseconds
        if new.url:
            row.request = _stored(new)
        if outcome.is_accepted:
            row.state, hook.failures = "DELIVERED", 0
            return
        pause = policy.pause_after(row.attempts) if hook.active and new.url else None
        if pause is not None:
            row.next_at = now + pause
            return
        row.state = "FAILED"
        hook.failures += 1
        if hook.active and hook.failures >= policy.MOST_FAILURES:
            _disable(session, hook, now)


def _stored(new: Envelope) -> dict[str, Any]:
    return {"headers": new.headers, "body": new.body.decode()}


def _disable(session: Session, hook: Webhook, now: datetime) -> None:
    """Disable a webhook whose receiver has accepted nothing for long; tell administrators."""
    hook.active, hook.disabled_at, hook.updated_at = False, now, now
    url = policy.shown_url(hook.url)
    admins = session.scalars(
        select(Person.person_id).where(Person.active, Person.role == "admin")
    ).all()
    text = t("webhooks.disabled_notice", hook=hook.hook_id, url=url, count=hook.failures)
    outbox.notify(session, NoticeKind.ALERT, text, admins, now, sr_id=None)
    log.append(
        session,
        EntryKind.WEBHOOK_DISABLED,
        actor=str(Actor.system("webhooks")),
        now=now,
        detail={"hook": hook.hook_id, "failures": hook.failures},
        hook=hook.hook_id,
        url=url,
        count=hook.failures,
    )


@repeat_on_conflict
def queue_due(board: BoardContext) -> int:
    """Queue the deliveries whose pause is over; return how many."""
    now = board.clock()
    with board.database.transaction() as session:
        query = select(WebhookDelivery).where(
            WebhookDelivery.state == "PENDING", WebhookDelivery.next_at <= now
        )
        query = query.order_by(WebhookDelivery.next_at).limit(_BATCH)
        rows = session.scalars(query.with_for_update(skip_locked=True)).all()
        for row in rows:
            row.next_at = None
            queueing.defer(session, row)
        return len(rows)


@repeat_on_conflict
def remove_old(board: BoardContext) -> None:
    """Remove deliveries that are older than they are kept."""
    old = WebhookDelivery.created_at < board.clock() - policy.KEEP
    with board.database.transaction() as session:
        session.execute(delete(WebhookDelivery).where(old, WebhookDelivery.state != "PENDING"))
