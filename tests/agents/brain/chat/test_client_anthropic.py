"""What only Anthropic's client does; the contract of all clients is in `test_clients.py`."""

from __future__ import annotations

from typing import Any

import httpx
from chat_providers import ANTHROPIC
from messages_server import MODEL, VERSION, MessagesServer
from model_server import KEY, CannedReply
from waiting import PATIENCE


def test_the_server_of_these_tests_refuses_what_the_real_one_refuses() -> None:
    right = {"anthropic-version": VERSION, **ANTHROPIC.headers(KEY)}
    listed = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
    form = {"type": "json_schema", "schema": listed}
    with MessagesServer(key=KEY) as claude:
        claude.replies(CannedReply("{}"))

        def status(headers: dict[str, str], **more: Any) -> int:
            body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
            url = f"{claude.url}/v1/messages"
            sent = httpx.post(url, json={**body, **more}, headers=headers, timeout=PATIENCE)
            return sent.status_code

        assert status(right) == 200
        assert status({**right, "authorization": "Bearer wrong"}) == 401
        assert status({"authorization": right["authorization"]}) == 400
        assert status(right, messages=[{"role": "system", "content": "?"}]) == 400
        assert status(right, output_config={"format": form}) == 400
