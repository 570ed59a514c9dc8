from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from guardia.board.web.fair_queue import AT_ONCE, WAITING, FairQueueMiddleware

COOKIE = "guardia_session"
Requests = Callable[..., Awaitable[int]]


@dataclass
class Board:
    """An application whose answers wait until they are released."""

    working: list[str] = field(default_factory=list)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    queue: FairQueueMiddleware = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FairQueueMiddleware(self.app, COOKIE)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.working.append(scope["path"])
        if scope["path"] != "/stream":
            await self.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await self.release.wait()
        await send({"type": "http.response.body", "body": b""})

    async def request(
        self,
        path: str = "/",
        *,
        session: str = "",
        peer: str = "10.0.0.1",
        body: asyncio.Event | None = None,
    ) -> int:
        headers = [(b"cookie", f"{COOKIE}={session}".encode())] if session else []
        scope = {
            "type": "http",
            "method": "GET" if body is None else "POST",
            "path": path,
            "headers": headers,
            "client": (peer, 1),
        }
        status = 0

        async def receive() -> dict[str, Any]:
            if body is not None:
                await body.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        await self.queue(scope, receive, send)  # type: ignore[arg-type]
        return status

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


def run(scenario: Callable[[Board], Awaitable[None]]) -> None:
    async def inner() -> None:
        board = Board()
        await scenario(board)
        board.release.set()

    asyncio.run(inner())


def test_one_visitors_flood_delays_only_itself() -> None:
    async def scenario(board: Board) -> None:
        flood = [asyncio.create_task(board.request(session="one")) for _ in range(300)]
        await board.settle()
        assert len(board.working) == AT_ONCE
        refused = [task for task in flood if task.done()]
        assert len(refused) == 300 - AT_ONCE - WAITING
        assert {task.result() for task in refused} == {429}
        others = [asyncio.create_task(board.request("/other", session=str(n))) for n in range(9)]
        others.append(asyncio.create_task(board.request("/other", peer="10.0.0.2")))
        await board.settle()
        assert board.working.count("/other") == 10
        board.release.set()
        answered = await asyncio.gather(*flood, *others)
        assert answered.count(200) == AT_ONCE + WAITING + 10
        assert not board.queue._lines

    run(scenario)


@pytest.mark.parametrize("path", ["/kill", "/api/v3/kill-switch"])
def test_stopping_never_waits(path: str) -> None:
    async def scenario(board: Board) -> None:
        flood = [asyncio.create_task(board.request(session="one")) for _ in range(300)]
        await board.settle()
        stopping = asyncio.create_task(board.request(path, session="one"))
        await board.settle()
        assert board.working[-1] == path
        board.release.set()
        assert await stopping == 200
        await asyncio.gather(*flood)

    run(scenario)


def test_a_messengers_requests_are_never_refused() -> None:
    async def scenario(board: Board) -> None:
        posts = [asyncio.create_task(board.request("/intake/mattermost")) for _ in range(300)]
        board.release.set()
        assert set(await asyncio.gather(*posts)) == {200}

    run(scenario)


def test_streams_and_unfinished_bodies_hold_no_place() -> None:
    async def scenario(board: Board) -> None:
        streams = [asyncio.create_task(board.request("/stream", session="one")) for _ in range(20)]
        never = asyncio.Event()
        halves = [asyncio.create_task(board.request("/login", body=never)) for _ in range(200)]
        await board.settle()
        assert board.working == ["/stream"] * 20
        page = asyncio.create_task(board.request("/page", session="one"))
        sign_in = asyncio.create_task(board.request("/login-page"))
        await board.settle()
        assert board.working[-2:] == ["/page", "/login-page"]
        never.set()
        board.release.set()
        await asyncio.gather(*streams, *halves, page, sign_in)

    run(scenario)
