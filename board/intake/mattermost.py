"""Mattermost: outgoing webhooks and pressed buttons in, incoming webhooks out.

Formats: https://developers.mattermost.com/integrate/webhooks/
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from guardia.board.control.kill_switch import KillResult
from guardia.board.core.context import BoardContext
from guardia.board.intake import (
    account_linking,
    button_token,
    context_rules,
    mattermost_buttons,
    offers,
    stop_command,
)
from guardia.board.intake.link_code_parser import parse_link_code
from guardia.board.intake.stop_word import is_stop_command
from guardia.board.issues import receiving
from guardia.errors import Throttled
from guardia.i18n import t
from guardia.settings import Settings

CHANNEL = "mattermost"
_MAX_BODY = 64_000


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class MattermostPost(_Payload):
    """One post, as Mattermost sends it."""

    token: str
    post_id: str = Field(min_length=1, max_length=64)
    channel_name: str = Field(default="", max_length=128)
    user_id: str = Field(default="", max_length=64)
    user_name: str = Field(default="", max_length=128)
    text: str = Field(min_length=1, max_length=16_384)
    trigger_word: str = Field(default="", max_length=1024)
    """The webhook's word with which the post begins; empty where the webhook has none."""


class ButtonPress(_Payload):
    """Who pressed a button, as Mattermost sends it; beside it is the context that we gave it."""

    user_id: str = Field(min_length=1, max_length=64)
    user_name: str = Field(default="", max_length=128)


_Read = TypeVar("_Read", bound=_Payload)


def router(board: BoardContext, settings: Settings) -> APIRouter:
    """``POST /intake/mattermost``: log the line, receive the SR or offer to; its ``/actions``:
    open what was offered."""
    routes = APIRouter()

    @routes.post("/intake/mattermost")
    async def receive(request: Request) -> dict[str, Any]:
        post = _parse(MattermostPost, await _read_payload(request))
        token = _verify_token(settings, post.token)
        line = receiving.NewIssue(
            text=post.text,
            channel=CHANNEL,
            sender=post.user_name,
            room=post.channel_name,
            account=post.user_id,
            external_id=post.post_id,
        )
        if is_stop_command(post.text):
            return {
                "text": _stop_reply(await run_in_threadpool(stop_command.handle_stop, board, line))
            }
        if (code := parse_link_code(post.text)) is not None:
            return {"text": await run_in_threadpool(_link_reply, board, line, code)}
        addressed = bool(post.trigger_word)
        result = await run_in_threadpool(
            context_rules.handle_line, board, line, addressed=addressed
        )
        if result.offer is not None:
            # Where nothing else is said, the messenger reaches us as it just has.
            board_url = settings.public_url or str(request.base_url)
            return mattermost_buttons.offer_message(
                result.offer, token, CHANNEL, board_url, board.clock()
            )
        # Without a text, nothing appears in the room.
        return {"text": t("intake.received", sr=result.sr_id)} if result.sr_id else {}

    @routes.post(mattermost_buttons.PATH)
    async def press(request: Request) -> dict[str, Any]:
        payload = await _read_payload(request)
        found = button_token.verify(settings.messenger_tokens, CHANNEL, _context_token(payload))
        if found is None:
            raise HTTPException(401, t("intake.button"))
        pressed = _parse(ButtonPress, payload)
        acceptance = offers.OfferAcceptance(
            channel=CHANNEL,
            message_id=found.message_id,
            expires_at=found.expires_at,
            account=pressed.user_id,
            sender=pressed.user_name,
        )
        return mattermost_buttons.acceptance_reply(
            await run_in_threadpool(offers.accept, board, acceptance)
        )

    return routes


def _stop_reply(killed: KillResult | None) -> str:
    if killed is None or killed.already_on:
        return t("intake.stopped_already")
    return t("intake.stopped", tasks=killed.stopped, undoing=killed.undoing)


def _link_reply(board: BoardContext, line: receiving.NewIssue, code: str) -> str:
    try:
        found = account_linking.link_account(board, line, code)
    except Throttled as error:
        return str(error)
    return t(f"intake.claim.{found or account_linking.LinkResult.LINKED}")


def webhook_body(room: str, text: str, sr_id: int | None) -> dict[str, Any]:
    """The body of an incoming webhook."""
    body: dict[str, Any] = {"username": "GUARDiA", "text": text}
    if room:
        body["channel"] = room
    if sr_id is not None:
        body["props"] = {"sr_id": sr_id}
    return body


async def _read_payload(request: Request) -> Mapping[str, Any]:
    body = await request.body()
    if len(body) > _MAX_BODY:
        raise HTTPException(413, t("intake.too_large"))
    if "json" in request.headers.get("content-type", ""):
        try:
            found = json.loads(body)
        except ValueError as error:
            raise HTTPException(400, t("intake.not_json")) from error
        if not isinstance(found, dict):
            raise HTTPException(400, t("intake.not_json"))
        return found
    return {k: v for k, v in (await request.form()).items() if isinstance(v, str)}


def _parse(form: type[_Read], payload: Mapping[str, Any]) -> _Read:
    try:
        return form.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise HTTPException(422, t("intake.field", field=field)) from error


def _context_token(payload: Mapping[str, Any]) -> str:
    context = payload.get("context")
    found = context.get("ticket") if isinstance(context, Mapping) else None
    return found if isinstance(found, str) else ""


def _verify_token(settings: Settings, token: str) -> str:
    """The token, which is that of one of our webhooks."""
    # compare_digest takes the same time wherever they differ.
    known = [hmac.compare_digest(k.encode(), token.encode()) for k in settings.messenger_tokens]
    if not any(known):
        raise HTTPException(401, t("intake.token"))
    return token
