"""Delivery of outbox messages: each one through the channel or gateway that it belongs to."""

from __future__ import annotations

import logging
import time
from functools import partial

import httpx

from guardia.board.core.context import BoardContext
from guardia.board.core.notice_kinds import EMERGENCIES
from guardia.board.intake import duty_rooms, registry
from guardia.board.intake.channels import NotConfigured, RetryLater
from guardia.board.notifications import delivery, dispatch, gateway
from guardia.board.notifications.delivery import OutboundMessage
from guardia.db.engine import OUTAGE_ERRORS
from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
_RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)


def deliver(board: BoardContext, settings: Settings, outbox_id: int) -> None:
    """Send one message. Raises `OSError` if that fails, so that the queue retries later.

    At least once: a crash between sending and marking leaves a message that is sent again, under
    the same `Idempotency-Key`.
    """
    failed = _dispatch(board, settings, outbox_id)
    _deliver(board, settings, outbox_id)
    if failed is not None:
        raise failed


def _dispatch(board: BoardContext, settings: Settings, outbox_id: int) -> Exception | None:
    """Queue the copies for people; an error there never holds back the message itself."""
    try:
        dispatch.dispatch(board, outbox_id, partial(duty_rooms.duty_rooms, settings))
    except Exception as error:
        log.exception("the recipients of message %s cannot be determined", outbox_id)
        return error
    return None


def _deliver(board: BoardContext, settings: Settings, outbox_id: int) -> None:
    message = delivery.undelivered(board, outbox_id)
    if message is None:
        return
    key = {"Idempotency-Key": f"guardia-{outbox_id}"}
    try:
        with httpx.Client(headers=key, timeout=_TIMEOUT) as client:
            _send(board, settings, message, client)
    except NotConfigured as error:
        delivery.mark_failed(board, outbox_id, str(error))
        return
    except RetryLater as error:
        delivery.mark_failed(board, outbox_id, str(error))
        raise
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # An address is secret (it contains the webhook's token), so only the error type is kept.
        why = _describe(error)
        delivery.mark_failed(board, outbox_id, why)
        raise OSError(f"{message.medium or message.kind}: {why}") from None
    _mark_delivered(board, outbox_id)


def _send(
    board: BoardContext, settings: Settings, message: OutboundMessage, client: httpx.Client
) -> None:
    if message.kind == "notice" and not message.medium:
        return  # it is on the pages of its people; its copies are messages of their own
    if message.notice in EMERGENCIES and duty_rooms.only_in_rooms(settings):
        return  # the rooms on duty have it, as messages of their own
    own = gateway.gateway_for(board, message.medium) if message.medium else None
    if own is not None:
        keys = FileCredentialStore(settings.secrets)
        try:
            gateway.send(board, keys, own, message, client)
        except Misconfigured as error:
            raise NotConfigured(str(error)) from error
        return
    channel = registry.sender_of(message)
    if channel is None:
        raise NotConfigured(t("intake.no_medium", medium=message.medium))
    channel.send(settings, message, client)


def _describe(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    return type(error).__name__


def _mark_delivered(board: BoardContext, outbox_id: int) -> None:
    """Mark a sent message; wait for a restarting database, so that it is not sent again."""
    for pause in _RETRY_DELAYS:
        try:
            return delivery.mark_delivered(board, outbox_id)
        except OUTAGE_ERRORS:
            time.sleep(pause)
    delivery.mark_delivered(board, outbox_id)
