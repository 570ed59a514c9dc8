"""What Slack sends: events, slash commands and pressed buttons, and the text of a message.

Formats: https://docs.slack.dev/apis/events-api/ and https://docs.slack.dev/interactivity/
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SPOKEN_TYPES = ("message", "app_mention")
_SPOKEN_SUBTYPES = {"", "file_share", "thread_broadcast"}
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]{1,2000})(?:\|([^<>]{0,2000}))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class SlackEvent(_Payload):
    """A message of a channel, or another event."""

    type: str = Field(default="", max_length=64)
    subtype: str | None = Field(default=None, max_length=64)
    user: str | None = Field(default=None, max_length=64)
    bot_id: str | None = Field(default=None, max_length=64)
    text: str | None = Field(default=None, max_length=40_000)
    channel: str | None = Field(default=None, max_length=64)
    channel_type: str | None = Field(default=None, max_length=32)
    ts: str | None = Field(default=None, max_length=32)
    thread_ts: str | None = Field(default=None, max_length=32)


class SlackAuthorization(_Payload):
    """An installation of the app that may see an event."""

    user_id: str | None = Field(default=None, max_length=64)
    is_bot: bool = False


class SlackEnvelope(_Payload):
    """An event with its delivery, or the test of an address."""

    type: str = Field(max_length=64)
    challenge: str = Field(default="", max_length=1024)
    event_id: str = Field(default="", max_length=64)
    event: dict[str, Any] = Field(default_factory=dict)
    authorizations: list[SlackAuthorization] = Field(default_factory=list, max_length=100)

    @property
    def own_users(self) -> set[str]:
        """The users as which the app speaks."""
        return {a.user_id for a in self.authorizations if a.is_bot and a.user_id}


class SlackCommand(_Payload):
    """A slash command."""

    command: str = Field(max_length=64)
    text: str = Field(default="", max_length=16_384)
    channel_id: str = Field(min_length=1, max_length=64)
    user_id: str = Field(min_length=1, max_length=64)
    user_name: str = Field(default="", max_length=128)
    trigger_id: str = Field(min_length=1, max_length=256)


class SlackNamed(_Payload):
    """A person or a channel."""

    id: str = Field(default="", max_length=64)
    name: str = Field(default="", max_length=128)
    username: str = Field(default="", max_length=128)


class SlackContainer(_Payload):
    """The message that has the button."""

    message_ts: str = Field(default="", max_length=32)
    thread_ts: str = Field(default="", max_length=32)


class SlackAction(_Payload):
    """A used element of a message."""

    type: str = Field(default="", max_length=64)
    value: str = Field(default="", max_length=2000)


class SlackInteraction(_Payload):
    """A pressed button, or another interaction."""

    type: str = Field(max_length=64)
    trigger_id: str = Field(default="", max_length=256)
    user: SlackNamed = Field(default_factory=SlackNamed)
    channel: SlackNamed = Field(default_factory=SlackNamed)
    container: SlackContainer = Field(default_factory=SlackContainer)
    actions: list[SlackAction] = Field(default_factory=list, max_length=100)
    response_url: str = Field(default="", max_length=2000)


def is_spoken(event: SlackEvent, own_users: set[str]) -> bool:
    """Return whether a person wrote the event: what bots and this app write would go round."""
    return (
        event.type in SPOKEN_TYPES
        and (event.subtype or "") in _SPOKEN_SUBTYPES
        and not event.bot_id
        and bool(event.user and event.channel and event.ts)
        and event.user not in own_users
    )


def is_addressed(event: SlackEvent, own_users: set[str]) -> bool:
    """Return whether a message mentions the app or is written to it alone."""
    mentioned = any(f"<@{user}" in (event.text or "") for user in own_users)
    return event.type == "app_mention" or event.channel_type == "im" or mentioned


def plain_text(text: str, own_users: set[str]) -> str:
    """Return the text of a message as people read it, without mentions of this app."""
    shown = _REFERENCE.sub(lambda found: _reference(found, own_users), text)
    for entity, character in _ENTITIES:
        shown = shown.replace(entity, character)
    return shown.strip()


def _reference(found: re.Match[str], own_users: set[str]) -> str:
    kind, target, label = found[1], found[2], found[3]
    if kind == "@":
        return "" if target in own_users else f"@{label or target}"
    if kind == "#":
        return f"#{label or target}"
    if kind == "!":
        return label or f"@{target.split('^')[0]}"
    return f"{label} ({target})" if label and label != target else target
