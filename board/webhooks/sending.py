"""Send one delivery: to an address that may be called, signed, in bounded time and size."""

from __future__ import annotations

import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

import guardia
from guardia.board.webhooks import policy
from guardia.text import mask_secrets

_TIMEOUT = 10.0
"""Seconds for a whole attempt."""
_PIECE = 4096
_SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "cookie"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended."""

    status: int | None = None
    error: str = ""
    """A text key `webhooks.error.…`, or the name of a network error."""
    response: dict[str, Any] = field(default_factory=dict)
    milliseconds: int = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has accepted it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is sent, before it is signed."""

    url: str
    headers: dict[str, str]
    body: bytes


def envelope(
    url: str, content_type: str, hook_id: int, guid: str, event: str, payload: dict[str, Any]
) -> Envelope:
    """Return the headers and the body of a delivery, as GitHub writes them."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    is_form = content_type == "form"
    body = urlencode({"payload": text}) if is_form else text
    kind = "x-www-form-urlencoded" if is_form else "json"
    headers = {
        "User-Agent": f"GUARDiA-Hookshot/{guardia.__version__}",
        "Accept": "*/*",
        "Content-Type": f"application/{kind}",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid,
        "X-GitHub-Hook-ID": str(hook_id),
        "X-GitHub-Hook-Installation-Target-Type": "repository",
    }
    return Envelope(url, headers, body.encode())


def send(new: Envelope, secret: str, *, local: bool) -> AttemptResult:
    """Make one attempt. `local` permits addresses of this host and its link."""
    if len(new.body) > policy.MAX_BODY:
        return AttemptResult(error="too_large")
    begun = time.monotonic()
    try:
        outcome = _send(new, secret, local=local)
    except httpx.InvalidURL:
        outcome = AttemptResult(error="bad_url")
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        outcome = AttemptResult(error=type(error).__name__)
    milliseconds = round((time.monotonic() - begun) * 1000)
    return AttemptResult(outcome.status, outcome.error, outcome.response, milliseconds)


def _send(new: Envelope, secret: str, *, local: bool) -> AttemptResult:
    parts = urlsplit(new.url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not local and any(policy.is_local(address) for address in found):
        return AttemptResult(error="local")
    # The address that was checked is the one that is called: a name may answer differently later.
    url = httpx.URL(new.url).copy_with(host=found[0])
    headers = {**new.headers, **policy.signatures(secret, new.body), "Host": parts.netloc}
    deadline = time.monotonic() + _TIMEOUT
    # Neither a proxy of the environment nor the receiver itself may lead it elsewhere.
    with (
        httpx.Client(
            timeout=_TIMEOUT / 2,
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),
        ) as client,
        client.stream(
            "POST", url, content=new.body, headers=headers, extensions={"sni_hostname": host}
        ) as answer,
    ):
        return AttemptResult(
            status=answer.status_code,
            response={"headers": _headers(answer), "body": _body(answer, deadline)},
        )


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name[:100]: mask_secrets(value)[:200]
        for name, value in list(answer.headers.items())[:50]
        if name.lower() not in _SECRET_HEADERS
    }


def _body(answer: httpx.Response, deadline: float) -> str:
    """Return the beginning of an answer; the receiver may not keep a worker for long."""
    read = bytearray()
    for piece in answer.iter_raw(_PIECE):
        read += piece
        if len(read) >= policy.MAX_ANSWER or time.monotonic() > deadline:
            break
    text = bytes(read[: policy.MAX_ANSWER]).decode("utf-8", "replace")
    return mask_secrets(text)
