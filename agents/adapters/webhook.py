"""Service as an external agent: notified by a signed webhook, it works through the API."""

from __future__ import annotations

import asyncio
import json
import time

import httpx

from guardia.agents.adapters import webhook_signature
from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.board.external_agents.sessions import SessionEnd
from guardia.errors import Unreachable
from guardia.i18n import t
from guardia.org.adapters import HttpAdapter

_TIMEOUT = 10.0
_RETRY_DELAYS = (0.5, 2.0, None)
"""Seconds before the next attempt, until the webhook is accepted."""
_ACCEPTED = frozenset({200, 202, 204})


class WebhookAgent:
    """A running service."""

    def __init__(self, adapter: HttpAdapter, spec: SessionSpec, resources: HostResources) -> None:
        self._adapter, self._spec, self._resources = adapter, spec, resources

    async def start(self) -> None:
        """Deliver the webhook. Raises `Unreachable` if it is not accepted."""
        secret = await asyncio.to_thread(self._resources.keys.get, self._adapter.secret)
        payload = {**self._spec.task, "api": self._spec.api, "token": self._spec.token}
        body = json.dumps(payload, ensure_ascii=False).encode()
        # The chart names the address; neither a proxy of the environment nor the service itself may
        # redirect the webhook.
        async with httpx.AsyncClient(
            timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        ) as client:
            for pause in _RETRY_DELAYS:
                outcome = await self._deliver(client, secret, body)
                if outcome in _ACCEPTED:
                    return
                if pause is None or (isinstance(outcome, int) and outcome < 500):
                    raise Unreachable(server=self._adapter.url, why=self._why(outcome))
                await asyncio.sleep(pause)

    async def _deliver(self, client: httpx.AsyncClient, secret: str, body: bytes) -> int | str:
        """Return the status of the response, or the error that prevented it."""
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            webhook_signature.TIMESTAMP: str(timestamp),
            webhook_signature.SIGNATURE: webhook_signature.sign(secret, timestamp, body),
            webhook_signature.DELIVERY: str(self._spec.session_id),
        }
        try:
            # Only the status counts; the body is not read.
            async with client.stream(
                "POST", self._adapter.url, content=body, headers=headers
            ) as response:
                return response.status_code
        except httpx.HTTPError as error:
            return type(error).__name__

    def _why(self, outcome: int | str) -> str:
        return t("agents.outside.webhook", found=outcome)

    async def wait(self) -> None:
        """Wait forever: it ends its session at the board, or its time runs out."""
        await asyncio.Event().wait()

    async def stop(self) -> SessionEnd:
        """Report the end; its token is closed, and nothing of it runs here."""
        return SessionEnd("ended")
