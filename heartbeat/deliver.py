"""The outbox leaves: replies to the messenger's room, alerts to the alert webhook."""

from __future__ import annotations

import httpx

from guardia.board.desk import Desk, outbox
from guardia.board.intake import mattermost
from guardia.settings import Settings

_TIMEOUT = 10.0


def deliver(desk: Desk, settings: Settings, outbox_id: int) -> None:
    """Send one message once; raises so that the queue tries again later."""
    message = outbox.waiting(desk, outbox_id)
    if message is None:
        return
    url = settings.alert_url if message.kind == "alert" else settings.messenger_url
    if url is None:
        outbox.failed(desk, outbox_id, "no webhook is configured")
        return
    try:
        answer = httpx.post(
            url.get_secret_value(),
            json=mattermost.outgoing(message.room, message.text, message.sr_id),
            timeout=_TIMEOUT,
        )
        answer.raise_for_status()
    except httpx.HTTPError as error:
        # The address is a secret (it holds the webhook's token), so only the kind is kept.
        outbox.failed(desk, outbox_id, type(error).__name__)
        raise OSError(f"webhook: {type(error).__name__}") from None
    outbox.delivered(desk, outbox_id)
