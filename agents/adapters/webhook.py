"""A service as an employee: told by a signed webhook, it answers at once and works by the API."""

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
"""Seconds before another try, as long as nobody has taken the webhook."""
_ACCEPTED = frozenset({200, 202, 204})


class WebhookAgent:
    """One service at work."""

    def __init__(self, adapter: HttpAdapter, spec: SessionSpec, resources: HostResources) -> None:
        self._adapter, self._spec, self._resources = adapter, spec, resources

    async def start(self) -> None:
        """Deliver the webhook; ``Unreachable`` where it is not taken."""
        secret = await asyncio.to_thread(self._resources.keys.get, self._adapter.secret)
        payload = {**self._spec.task, "api": self._spec.api, "token": self._spec.token}
        body = json.dumps(payload, ensure_ascii=False).encode()
        # The chart names the address; neither a proxy of our environment nor the service itself
        # may lead elsewhere.
        async with httpx.AsyncClient(
            timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        ) as client:
            for pause in _RETRY_DELAYS:
                found = await self._deliver(client, secret, body)
                if found in _ACCEPTED:
                    return
                if pause is None or (isinstance(found, int) and found < 500):
                    raise Unreachable(server=self._adapter.url, why=self._why(found))
                await asyncio.sleep(pause)

    async def _deliver(self, client: httpx.AsyncClient, secret: str, body: bytes) -> int | str:
        """The status of the answer, or what kept it from coming."""
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            webhook_signature.TIMESTAMP: str(timestamp),
            webhook_signature.SIGNATURE: webhook_signature.sign(secret, timestamp, body),
            webhook_signature.DELIVERY: str(self._spec.session_id),
        }
        try:
            # Only the status counts: whatever else it says is not read.
            async with client.stream(
                "POST", self._adapter.url, content=body, headers=headers
            ) as answer:
                return answer.status_code
        except httpx.HTTPError as error:
            return type(error).__name__

    def _why(self, found: int | str) -> str:
        return t("agents.outside.webhook", found=found)

    async def wait(self) -> None:
        """It ends its turn at the board, or its time is up."""
        await asyncio.Event().wait()

    async def stop(self) -> SessionEnd:
        """Its token is closed; there is nothing else of it here."""
        return SessionEnd("ended")
