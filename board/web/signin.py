"""Signing in and out, slowed down for those who guess."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.chain import clean
from guardia.board.desk import entrance
from guardia.board.web import render, visit
from guardia.board.web.visit import AtDesk

router = APIRouter(include_in_schema=False)

_WINDOW = 300.0
_PER_ACCOUNT, _PER_ADDRESS = 5, 50
_KEYS = 10_000
# A check takes some 64 MiB and a tenth of a second by design: never many at once.
_CHECKS = threading.BoundedSemaphore(2)


class Throttle:
    """Counts failures by key in a sliding window, in this process's memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, key: str, limit: int) -> bool:
        """Whether another attempt may be made."""
        with self._lock:
            return len(self._recent(key)) < limit

    def failed(self, key: str) -> None:
        """Count a failure."""
        with self._lock:
            moments = self._recent(key)
            moments.append(self._clock())
            self._failures[key] = moments
            self._failures.move_to_end(key)
            while len(self._failures) > _KEYS:
                self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """A success ends the count."""
        with self._lock:
            self._failures.pop(key, None)

    def _recent(self, key: str) -> deque[float]:
        moments = self._failures.get(key, deque())
        while moments and moments[0] <= self._clock() - _WINDOW:
            moments.popleft()
        return moments


@router.get("/login")
def form(request: Request, next: str = "/issues") -> Response:
    """The sign-in form."""
    visit.begin_visit(request)
    return render.page(request, "login.html", next=visit.local_path(next), account="", fault=None)


@router.post("/login")
def sign_in(
    request: Request,
    desk: AtDesk,
    account: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=256)] = "",
    next: Annotated[str, Form(max_length=500)] = "/issues",
) -> Response:
    """Open a session, or say that id and password do not belong together."""
    throttle: Throttle = request.app.state.throttle
    account, target = clean(account).strip(), visit.local_path(next)
    address = request.client.host if request.client else ""
    keys = {f"{address}|{account}": _PER_ACCOUNT, address: _PER_ADDRESS}

    def again(fault: str, status: int) -> Response:
        return render.page(
            request, "login.html", status=status, next=target, account=account, fault=fault
        )

    if not all(throttle.allows(key, limit) for key, limit in keys.items()):
        return again("throttled", 429)
    with _CHECKS:
        token = entrance.sign_in(desk, account, password)
    if token is None:
        for key in keys:
            throttle.failed(key)
        return again("wrong", 401)
    throttle.forget(f"{address}|{account}")
    response = RedirectResponse(target, status_code=303)
    visit.open_session(request, response, token)
    return response


@router.post("/logout")
def sign_out(request: Request, desk: AtDesk, here: visit.Here) -> Response:
    """End the session, here and in the database."""
    entrance.sign_out(desk, here.token)
    response = RedirectResponse("/login", status_code=303)
    visit.close_session(response)
    return response
