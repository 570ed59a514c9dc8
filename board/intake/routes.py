"""HTTP routes of every registered channel: the only module here that knows the web framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from guardia.board.core.context import BoardContext
from guardia.board.intake import registry
from guardia.board.intake.channels import Endpoint, InboundRequest, RequestRefused
from guardia.settings import Settings


def router(board: BoardContext, settings: Settings) -> APIRouter:
    """Map the endpoints of all channels to routes."""
    routes = APIRouter()
    for channel in registry.CHANNELS:
        for path, endpoint in channel.endpoints.items():
            routes.add_api_route(
                path,
                _route(board, settings, endpoint),
                methods=["POST"],
                name=channel.name,
                summary=endpoint.summary,
                response_model=dict[str, Any],
            )
    return routes


def _route(
    board: BoardContext, settings: Settings, endpoint: Endpoint[Any]
) -> Callable[[Request], Awaitable[Response]]:
    async def receive(request: Request) -> Response:
        inbound = await _read_request(request)
        try:
            reply = await run_in_threadpool(endpoint.answer, board, settings, inbound)
        except RequestRefused as error:
            raise HTTPException(error.status, error.message) from error
        if reply.body is None:
            return Response(status_code=reply.status)
        return JSONResponse(reply.body, reply.status)

    return receive


async def _read_request(request: Request) -> InboundRequest:
    body = await request.body()
    headers = dict(request.headers)
    is_json = "json" in headers.get("content-type", "")
    fields = {} if is_json else dict(await request.form())
    form = {name: value for name, value in fields.items() if isinstance(value, str)}
    return InboundRequest(headers, body, form, str(request.base_url))
