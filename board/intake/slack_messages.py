"""Messages to Slack: text, buttons as blocks, and the calls of its Web API.

Formats: https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.board.intake import button_token
from guardia.board.intake.channels import NotConfigured, RetryLater
from guardia.board.intake.presses import LIFETIME

CHANNEL = "slack"
_MAX_TEXT = 39_000
_MAX_SECTION = 2_900
_MAX_LABEL = 75
_MAX_BUTTONS = 25
_PASSING = {
    "ratelimited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
}
"""Errors after which the same call may succeed."""
_ERROR_NAME = re.compile(r"[a-z_]{1,64}", re.ASCII)
_DEFAULT_PAUSE = 30.0
_LONGEST_PAUSE = 3600.0


def message_body(text: str, choices: Sequence[Choice], key: str, now: datetime) -> dict[str, Any]:
    """Return text and blocks of a message, with a button for each choice."""
    shown = _escaped(text)[:_MAX_TEXT]
    if not choices or not key:
        return {"text": shown}
    parts = [shown[n : n + _MAX_SECTION] for n in range(0, len(shown), _MAX_SECTION)]
    sections = [{"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts]
    buttons = [_button(n, c, key, now) for n, c in enumerate(choices[:_MAX_BUTTONS], 1)]
    return {"text": shown, "blocks": [*sections, {"type": "actions", "elements": buttons}]}


def is_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Return whether an address that Slack sent may be called: HTTPS and one of its hosts."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # Plain HTTP only for a host that is listed with its scheme: a relay on the own network.
    place = parts.netloc if parts.scheme == "https" else f"{parts.scheme}://{parts.netloc}"
    return parts.scheme in {"http", "https"} and place in hosts


def call(client: httpx.Client, api: str, method: str, token: str, body: Mapping[str, Any]) -> None:
    """Call a method of the Web API.

    Raises `RetryLater` or `OSError` if it may succeed later, `NotConfigured` if it never will.
    """
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.post(f"{api.rstrip('/')}/{method}", json=dict(body), headers=headers)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise RetryLater(_pause(answer))
    answer.raise_for_status()
    found = _json_object(answer)
    if found.get("ok") is True:
        return
    error = str(found.get("error"))
    name = error if _ERROR_NAME.fullmatch(error) else "unreadable answer"
    if name == "ratelimited":
        raise RetryLater(_pause(answer))
    if name in _PASSING or name == "unreadable answer":
        raise OSError(f"{method}: {name}")
    raise NotConfigured(f"{method}: {name}")


def post_to_response_url(client: httpx.Client, url: str, body: Mapping[str, Any]) -> None:
    """Send an answer to the address that came with a press."""
    answer = client.post(url, json=dict(body))
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise RetryLater(_pause(answer))
    if answer.is_client_error:
        raise NotConfigured("the response_url has expired")
    answer.raise_for_status()


def _button(number: int, choice: Choice, key: str, now: datetime) -> dict[str, Any]:
    value = button_token.create(key, CHANNEL, choice.act, choice.value, now + LIFETIME)
    label = {"type": "plain_text", "text": choice.label[:_MAX_LABEL]}
    button = {"type": "button", "action_id": f"choice{number}", "text": label, "value": value}
    if choice.style is not ChoiceStyle.DEFAULT:
        button["style"] = choice.style.value
    return button


def _escaped(text: str) -> str:
    """Return text in which nothing is a mention, a link with another name, or an entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json_object(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _pause(answer: httpx.Response) -> float:
    """Return the seconds that Slack asks for."""
    text = answer.headers.get("retry-after", "")
    named = float(text) if text.isascii() and text.isdigit() and len(text) < 6 else _DEFAULT_PAUSE
    return min(max(named, 1.0), _LONGEST_PAUSE)
