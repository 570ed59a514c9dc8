"""Mattermost: outgoing webhooks in, incoming webhooks out.

Formats: https://developers.mattermost.com/integrate/webhooks/
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from guardia.board.desk import Desk, accounts, killing, reception
from guardia.board.desk.killing import Killed
from guardia.board.intake.linkcode import said_code
from guardia.board.intake.stopword import orders_stop
from guardia.errors import Throttled
from guardia.i18n import t
from guardia.settings import Settings

CHANNEL = "mattermost"
_RULE = "webhook"
_BODY = 64_000


class Post(BaseModel):
    """One post, as Mattermost sends it."""

    model_config = ConfigDict(extra="ignore")

    token: str
    post_id: str = Field(min_length=1, max_length=64)
    channel_name: str = Field(default="", max_length=128)
    user_id: str = Field(default="", max_length=64)
    user_name: str = Field(default="", max_length=128)
    text: str = Field(min_length=1, max_length=16_384)


def router(desk: Desk, settings: Settings) -> APIRouter:
    """``POST /intake/mattermost``: log the line, receive the SR, answer with its number."""
    routes = APIRouter()

    @routes.post("/intake/mattermost")
    async def receive(request: Request) -> dict[str, str]:
        post = _parse(await _payload(request))
        _verify(settings, post.token)
        line = reception.Request(
            text=post.text,
            channel=CHANNEL,
            sender=post.user_name,
            room=post.channel_name,
            account=post.user_id,
            external_id=post.post_id,
        )
        if orders_stop(post.text):
            return {"text": _stopped(await run_in_threadpool(killing.hear, desk, line))}
        if (code := said_code(post.text)) is not None:
            return {"text": await run_in_threadpool(_claimed, desk, line, code)}
        sr_id = await run_in_threadpool(reception.hear, desk, line, rule=_RULE)
        return {"text": t("intake.received", sr=sr_id or "-")}

    return routes


def _stopped(killed: Killed | None) -> str:
    if killed is None or killed.already:
        return t("intake.stopped_already")
    return t("intake.stopped", tasks=killed.stopped, undoing=killed.undoing)


def _claimed(desk: Desk, line: reception.Request, code: str) -> str:
    try:
        found = accounts.claim(desk, line, code)
    except Throttled as error:
        return str(error)
    return t(f"intake.claim.{found or accounts.Claim.LINKED}")


def outgoing(room: str, text: str, sr_id: int | None) -> dict[str, Any]:
    """The body of an incoming webhook."""
    body: dict[str, Any] = {"username": "GUARDiA", "text": text}
    if room:
        body["channel"] = room
    if sr_id is not None:
        body["props"] = {"sr_id": sr_id}
    return body


async def _payload(request: Request) -> Mapping[str, Any]:
    body = await request.body()
    if len(body) > _BODY:
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


def _parse(payload: Mapping[str, Any]) -> Post:
    try:
        return Post.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        raise HTTPException(422, t("intake.field", field=field)) from error


def _verify(settings: Settings, token: str) -> None:
    wanted = settings.messenger_token
    # compare_digest takes the same time wherever they differ.
    if wanted is None or not hmac.compare_digest(
        wanted.get_secret_value().encode(), token.encode()
    ):
        raise HTTPException(401, t("intake.token"))
