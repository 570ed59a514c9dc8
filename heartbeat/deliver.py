"""Delivery of outbox messages: each one through the channel that it belongs to."""

from __future__ import annotations

import time

import httpx

from guardia.board.core.context import BoardContext
from guardia.board.intake import registry
from guardia.board.intake.channels import NotConfigured, RetryLater
from guardia.board.notifications import delivery
from guardia.db.engine import OUTAGE_ERRORS
from guardia.settings import Settings

_TIMEOUT = 10.0
_RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)


def deliver(board: BoardContext, settings: Settings, outbox_id: int) -> None:
    """Send one message. Raises `OSError` if that fails, so that the queue retries later.

    At least once: a crash between sending and marking leaves a message that is sent again, under
    the same `Idempotency-Key`.
    """
    message = delivery.undelivered(board, outbox_id)
    if message is None:
        return
    channel = registry.sender_of(message)
    key = {"Idempotency-Key": f"guardia-{outbox_id}"}
    try:
        with httpx.Client(headers=key, timeout=_TIMEOUT) as client:
            channel.send(settings, message, client)
    except NotConfigured as error:
        delivery.mark_failed(board, outbox_id, str(error))
        return
    except RetryLater as error:
        delivery.mark_failed(board, outbox_id, str(error))
        raise
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # An address is secret (it contains the webhook's token), so only the error type is kept.
        delivery.mark_failed(board, outbox_id, type(error).__name__)
        raise OSError(f"{channel.name}: {type(error).__name__}") from None
    _mark_delivered(board, outbox_id)


def _mark_delivered(board: BoardContext, outbox_id: int) -> None:
    """Mark a sent message; wait for a restarting database, so that it is not sent again."""
    for pause in _RETRY_DELAYS:
        try:
            return delivery.mark_delivered(board, outbox_id)
        except OUTAGE_ERRORS:
            time.sleep(pause)
    delivery.mark_delivered(board, outbox_id)
