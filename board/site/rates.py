"""How much a minute a token may call, and a person may submit and file."""

from __future__ import annotations

import hashlib
import time

from fastapi import Request

from guardia.board.web.rates import RateLimit
from guardia.board.web.session import Visitor
from guardia.errors import TooOften
from guardia.org.tokens import TOKEN_PREFIX
from guardia.settings import Settings

STOP = "control.kill"
_UNCOUNTED = "/api/v3/rate_limit"
"""Asking for the limit counts as no call."""
OPENING = frozenset({"issue.create", "goal.give"})
"""Actions that open an issue, and so make work for agents."""


class Rates:
    """How much a minute a token may call, and a person may submit and file."""

    def __init__(self, settings: Settings) -> None:
        self._calls, self._forms, self._requests = (
            RateLimit(number, time.monotonic)
            for number in (
                settings.api_calls_per_token,
                settings.forms_per_person,
                settings.requests_per_sender,
            )
        )

    def check(self, request: Request, action: str, visitor: Visitor) -> None:
        """Count a request. Raises `TooOften`; stopping is never refused."""
        request.state.rate = self._forms.state(visitor.person.id, time.time())
        if action == STOP:
            return
        changes = request.method not in {"GET", "HEAD"}
        seconds = 0
        if visitor.token.startswith(TOKEN_PREFIX):
            key = hashlib.sha256(visitor.token.encode()).hexdigest()
            if request.url.path != _UNCOUNTED:
                seconds = self._calls.take(key)
            request.state.rate = self._calls.state(key, time.time())
        elif changes:
            seconds = self._forms.take(visitor.person.id)
        if changes and action in OPENING:
            seconds = seconds or self._requests.take(visitor.person.id)
        if seconds:
            raise TooOften(seconds=seconds)
