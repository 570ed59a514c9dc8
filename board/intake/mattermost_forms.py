"""A slash command of Mattermost, and the form that it can open.

Formats: https://developers.mattermost.com/integrate/slash-commands/ and
https://developers.mattermost.com/integrate/plugins/interactive-dialogs/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field

from guardia.board.cmdb import view as cmdb
from guardia.board.core import outbox
from guardia.board.core.context import BoardContext
from guardia.board.intake import button_token, events
from guardia.board.intake.channels import NotConfigured
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.org import identity
from guardia.settings import Settings
from guardia.text import MAX_TITLE, CleanStr, is_blank, matching_form

COMMAND_PATH = "/intake/mattermost/command"
FORM_PATH = "/intake/mattermost/form"
FORM_ACT = "form"
"""Act of the token in a form, which names room and person."""
_LIFETIME = timedelta(hours=8)
_MAX_BODY = 3000
"""Characters of a text area in Mattermost."""
_MAX_SERVERS = 100
_MAX_NAME = 40
_OPEN = "/api/v4/actions/dialogs/open"


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class MattermostCommand(_Payload):
    """A slash command, as Mattermost sends it."""

    token: str
    channel_name: CleanStr = Field(default="", max_length=128)
    user_id: CleanStr = Field(min_length=1, max_length=64)
    user_name: CleanStr = Field(default="", max_length=128)
    command: str = Field(default="", max_length=128)
    text: str = Field(default="", max_length=16_384)
    trigger_id: str = Field(min_length=1, max_length=2048)

    @property
    def delivery(self) -> str:
        """Name of the delivery: a trigger id is too long for one."""
        return hashlib.sha256(self.trigger_id.encode("utf-8", "replace")).hexdigest()[:40]

    @property
    def asks_for_form(self) -> bool:
        """Whether the text is the name of the form."""
        names = {t("intake.mattermost.new_request"), "새 요청", "new request"}
        compact = "".join(matching_form(self.text).split())
        return compact in {"".join(matching_form(name).split()) for name in names}


class FormFields(_Payload):
    """What a person wrote into the form."""

    title: str | None = Field(default=None, max_length=MAX_TITLE)
    body: str | None = Field(default=None, max_length=_MAX_BODY)
    server: str | None = Field(default=None, max_length=200)


class FormSubmission(_Payload):
    """A submitted form, as Mattermost sends it."""

    user_id: str = Field(min_length=1, max_length=64)
    cancelled: bool = False
    submission: FormFields | None = None


@repeat_on_conflict
def queue_form(
    board: BoardContext, key: str, channel: str, command: MattermostCommand, form_url: str
) -> None:
    """Have a worker open the form: the trigger is valid for some seconds."""
    now = board.clock()
    who = {
        "id": command.delivery,
        "user": command.user_id,
        "name": command.user_name[:_MAX_NAME],
        "room": command.channel_name,
    }
    value = json.dumps(who, ensure_ascii=False)
    state = button_token.create(key, channel, FORM_ACT, value, now + _LIFETIME)
    dialog = _dialog(state, _servers(board, channel, command.user_id))
    target = {"dialog": {"trigger_id": command.trigger_id, "url": form_url, "dialog": dialog}}
    with board.database.transaction() as session:
        name, room = t("intake.mattermost.form_title"), command.channel_name
        route = outbox.Route(channel, target=target)
        outbox.send(session, "message", name, now, room=room, sr_id=None, route=route)


def open_form(settings: Settings, dialog: Mapping[str, Any], client: httpx.Client) -> None:
    """Open a form in the browser of the person who asked for it."""
    if settings.mattermost_url is None:
        raise NotConfigured("no address of the Mattermost server")
    token = settings.mattermost_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    url = f"{settings.mattermost_url.rstrip('/')}{_OPEN}"
    answer = client.post(url, json=dict(dialog), headers=headers)
    if answer.is_client_error:
        raise NotConfigured(f"Mattermost does not open the form ({answer.status_code})")
    answer.raise_for_status()


def line_of(who: Mapping[str, str], fields: FormFields, channel: str, board_url: str) -> RoomLine:
    """Return the content of a form as a line; title, text and server all count."""
    body = fields.title if is_blank(fields.body or "") else fields.body
    server = t("intake.mattermost.form_line", server=fields.server) if fields.server else ""
    return RoomLine(
        title=fields.title or "",
        text="\n".join(part for part in (body, server) if part),
        channel=channel,
        sender=who["name"],
        account=who["user"],
        room=who["room"],
        external_id=f"form {who['id']}",
        addressed=True,
        board_url=board_url,
    )


def answer_form(board: BoardContext, line: RoomLine, reply: ConversationReply) -> None:
    """Answer a form in its room: the form itself shows no answer."""
    key = line.external_id or ""
    events.answer_once(board, line.channel, [key], reply, room=line.room)


def _dialog(state: str, servers: Sequence[str]) -> dict[str, Any]:
    def label(name: str) -> str:
        return t(f"intake.mattermost.form_{name}")

    elements: list[dict[str, Any]] = [
        {
            "display_name": label("subject"),
            "name": "title",
            "type": "text",
            "max_length": 150,
            "optional": True,
        },
        {
            "display_name": label("body"),
            "name": "body",
            "type": "textarea",
            "max_length": _MAX_BODY,
        },
    ]
    if servers:
        options = [{"text": name, "value": name} for name in servers]
        elements.append(
            {
                "display_name": label("server"),
                "name": "server",
                "type": "select",
                "options": options,
                "placeholder": label("no_server"),
                "optional": True,
            }
        )
    return {
        "callback_id": "new-request",
        "title": label("title"),
        "elements": elements,
        "submit_label": label("submit"),
        "notify_on_cancel": False,
        "state": state,
    }


def _servers(board: BoardContext, channel: str, account: str) -> list[str]:
    """Return the servers of a known person, if they are few enough to choose from."""
    with board.database.reading() as session:
        known = identity.person_of_account(session, channel, account)
        person = known.as_info() if known is not None and known.active else None
    if person is None:
        return []
    mine = person.institution
    found = [
        host.server_id
        for host in cmdb.systems(board).servers
        if not mine or host.institution == mine
    ]
    return sorted(found) if len(found) <= _MAX_SERVERS else []
