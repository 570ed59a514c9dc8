"""The outbox leaves: replies to the messenger's room, alerts to the alert webhook."""

from __future__ import annotations

import time

import httpx

from guardia.board.core.context import BoardContext
from guardia.board.intake import mattermost
from guardia.board.notifications import delivery
from guardia.db.engine import OUTAGE_ERRORS
from guardia.settings import Settings

_TIMEOUT = 10.0
_RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)


def deliver(board: BoardContext, settings: Settings, outbox_id: int) -> None:
    """Send one message; raises so that the queue tries again later.

    At least once: who dies between the answer and its mark leaves a message that is sent again,
    under the same ``Idempotency-Key``.
    """
    message = delivery.undelivered(board, outbox_id)
    if message is None:
        return
    url = settings.alert_url if message.kind == "alert" else settings.messenger_url
    if url is None:
        delivery.mark_failed(board, outbox_id, "no webhook is configured")
        return
    try:
        answer = httpx.post(
            url.get_secret_value(),
            json=mattermost.webhook_body(message.room, message.text, message.sr_id),
            headers={"Idempotency-Key": f"guardia-{outbox_id}"},
            timeout=_TIMEOUT,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        # The address is a secret (it holds the webhook's token), so only the kind is kept.
        delivery.mark_failed(board, outbox_id, type(error).__name__)
        raise OSError(f"webhook: {type(error).__name__}") from None
    _mark_delivered(board, outbox_id)


def _mark_delivered(board: BoardContext, outbox_id: int) -> None:
    """The room has it: a database that restarts just now is no reason to tell it again."""
    for pause in _RETRY_DELAYS:
        try:
            return delivery.mark_delivered(board, outbox_id)
        except OUTAGE_ERRORS:
            time.sleep(pause)
    delivery.mark_delivered(board, outbox_id)
