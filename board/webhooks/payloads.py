"""What a delivery says, in the shapes of GitHub's events."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, cast, column, select
from sqlalchemy import Text as SqlText
from sqlalchemy.orm import Session

from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.model import Comment, Issue
from guardia.board.github_api import repositories, views
from guardia.board.github_api.addresses import Addresses
from guardia.board.github_api.issue_bodies import issue_bodies
from guardia.board.github_api.people import users_of
from guardia.board.github_api.repositories import Repository
from guardia.board.webhooks import policy
from guardia.board.webhooks.model import Webhook, WebhookDelivery
from guardia.org.directory import PersonInfo

_XID = 1 << 32
_VIEWER = PersonInfo(id="webhook", name="webhook", title="", role="admin")
"""Only those who may see everything create webhooks."""
_ZEN = "People and agents meet only on the board."


def payload(
    session: Session, addresses: Addresses, hook: Webhook, delivery: WebhookDelivery
) -> dict[str, Any]:
    """Return the content of a delivery, as things are now."""
    if delivery.event == "ping":
        return _ping(session, addresses, hook)
    issue = session.get(Issue, delivery.sr_id) if delivery.sr_id else None
    place = repositories.of_issue(issue.inst_id) if issue is not None else repositories.WHOLE
    found: dict[str, Any] = {"action": delivery.action}
    if issue is not None:
        found["issue"] = issue_bodies(session, _VIEWER, addresses, [issue], place)[0].model_dump()
    found |= _subject(session, addresses, place, delivery)
    found["repository"] = _repository(session, addresses, place)
    found["sender"] = _sender(session, addresses, delivery, found)
    return found


def hook_body(addresses: Addresses, hook: Webhook) -> dict[str, Any]:
    """Return a webhook as GitHub shows it, without its secret."""
    place = repository_of(hook)
    url = f"{addresses.repository(place)}/hooks/{hook.hook_id}"
    return {
        "type": "Repository",
        "id": hook.hook_id,
        "name": "web",
        "active": hook.active,
        "events": hook.events,
        "config": {
            "content_type": hook.content_type,
            "insecure_ssl": "0",
            "secret": "********",
            "url": policy.shown_url(hook.url),
        },
        "created_at": hook.created_at,
        "updated_at": hook.updated_at,
        "url": url,
        "test_url": f"{url}/tests",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
    }


def repository_of(hook: Webhook) -> Repository:
    """Return the repository whose events a webhook receives."""
    if hook.inst_id is None:
        return repositories.WHOLE
    name = hook.server_id or repositories.ALL
    return Repository(hook.inst_id, name, hook.inst_id, hook.server_id)


def _ping(session: Session, addresses: Addresses, hook: Webhook) -> dict[str, Any]:
    place = repository_of(hook)
    users = users_of(session, addresses, [hook.created_by])
    shown = hook_body(addresses, hook)
    shown |= {name: f"{shown[name]:%Y-%m-%dT%H:%M:%SZ}" for name in ("created_at", "updated_at")}
    return {
        "zen": _ZEN,
        "hook_id": hook.hook_id,
        "hook": shown,
        "repository": _repository(session, addresses, place),
        "sender": users.user(hook.created_by).model_dump(),
    }


def _repository(session: Session, addresses: Addresses, place: Repository) -> dict[str, Any]:
    return views.repository_body(session, _VIEWER, addresses, place).model_dump()


def _subject(
    session: Session, addresses: Addresses, place: Repository, delivery: WebhookDelivery
) -> dict[str, Any]:
    """Return what the event is about beside the issue."""
    found: dict[str, Any] = {}
    detail = delivery.detail
    if "changes" in detail:
        found["changes"] = detail["changes"]
    if "label" in detail:
        url = addresses.label(place, detail["label"]["name"])
        found["label"] = {**detail["label"], "url": url, "default": False}
    if "assignee" in detail:
        actor = str(Actor.person(detail["assignee"]))
        found["assignee"] = users_of(session, addresses, [actor]).user(actor).model_dump()
    row = session.get(Comment, detail["comment"]) if "comment" in detail else None
    if row is not None:
        found["comment"] = views.comment_bodies(session, addresses, place, [row])[0].model_dump()
    return found


def _sender(
    session: Session, addresses: Addresses, delivery: WebhookDelivery, found: dict[str, Any]
) -> dict[str, Any]:
    """Return who caused an event: the actor of the audit entry of the same transaction."""
    actor = None
    if delivery.transaction_id is not None:
        written = cast(cast(column("xmin"), SqlText), BigInteger)
        query = (
            select(AuditEntry.actor)
            .where(AuditEntry.created_at >= delivery.created_at - policy.SENDER_WINDOW)
            .where(AuditEntry.created_at <= delivery.created_at + policy.SENDER_WINDOW)
            .where(written == delivery.transaction_id % _XID)
        )
        actor = session.scalar(query.order_by(AuditEntry.seq).limit(1))
    sender: dict[str, Any] = users_of(session, addresses, [actor]).user(actor).model_dump()
    if actor is None and "issue" in found:
        sender = found["issue"]["user"]
    return sender
