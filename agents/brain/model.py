"""The wire to a chat model server: one question, one answer, within its time, or ``ModelError``.

The server is any that speaks OpenAI's chat completions with ``response_format`` json_schema, e.g.
vLLM. Heavy libraries are imported with the first question.
"""

from __future__ import annotations

import logging
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from queue import Empty, Queue
from threading import Thread
from typing import Any

import httpx
from pydantic import SecretStr

from guardia.agents.brain.question import Question
from guardia.errors import ModelError
from guardia.i18n import t

log = logging.getLogger(__name__)

_CONNECT = 5.0
_MAX_TOKENS = 1_500
_MAX_BYTES = 256 * 1024
# What says that the question was not liked, not that the server is unwell.
_QUESTION_REFUSED = (400, 413, 422)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said."""

    text: str
    tokens: int
    """Of question and answer, as the server counts them; 0 where it does not say."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """One model on one server."""

    base_url: str
    name: str
    timeout: float
    """Seconds for everything: name, connection, thinking, answer."""
    key: SecretStr | None = None

    def answer(self, role: str, question: Question[Any]) -> Reply:
        """Ask; ``ModelError`` with a Korean ``why``, and ``down=True`` where the server is unwell.

        Asked once: the embedded brain is a better second try than a server in trouble, and the
        client's own retries would sleep as long as the server likes.
        """
        import langchain_openai  # noqa: F401 - its 2 s are not the server's

        # Where an answer has odd types, these repeat what the server sent.
        warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)

        try:
            message = _within(self.timeout, lambda: self._invoke(role, question))
        except Exception as error:  # Whatever it was, it came of what the server sent.
            raise self._why(error) from None
        return _reply(message)

    def _invoke(self, role: str, question: Question[Any]) -> Any:
        from langchain_openai import ChatOpenAI
        from langsmith import tracing_context

        transport = _Bounded(time.monotonic() + self.timeout)
        # As a tuple (connect, read, write, pool): langchain keeps one client for each hashable one.
        timeout = (min(_CONNECT, self.timeout), self.timeout, self.timeout, self.timeout)
        # No proxy or address of the environment comes between this host and the model server.
        with (
            httpx.Client(transport=transport, timeout=timeout, trust_env=False) as client,
            tracing_context(enabled=False),
        ):
            chat = ChatOpenAI(
                model=self.name,
                base_url=self.base_url,
                api_key=self.key or SecretStr("none"),
                http_client=client,
                openai_proxy="",
                timeout=timeout,
                max_retries=0,
                temperature=0,
                max_completion_tokens=_MAX_TOKENS,
                use_responses_api=False,
                streaming=False,
            )
            messages = [
                ("system", "\n\n".join(filter(None, [role, question.instructions]))),
                ("user", question.data),
            ]
            form = {"name": question.name, "strict": True, "schema": question.schema}
            return chat.invoke(
                messages, response_format={"type": "json_schema", "json_schema": form}
            )

    def _why(self, error: Exception) -> ModelError:
        import openai

        match error:
            case TimeoutError() | openai.APITimeoutError():
                why = t("brain.timed_out", seconds=f"{self.timeout:g}")
                return ModelError(why=why, down=True)
            case openai.APIStatusError():
                refused = error.status_code in _QUESTION_REFUSED
                return ModelError(
                    why=t("brain.http_error", status=error.status_code), down=not refused
                )
            case openai.APIConnectionError():
                return ModelError(why=_unconnected(error), down=True)
            case openai.LengthFinishReasonError():
                usage = getattr(error.completion, "usage", None)
                tokens = _count(getattr(usage, "total_tokens", 0))
                return ModelError(why=t("brain.cut_off"), tokens=tokens)
        # Its own message may repeat what the server sent; the kind says enough.
        log.warning("chat model %s: unusable answer (%s)", self.name, type(error).__name__)
        return ModelError(why=t("brain.not_valid", place="HTTP"))


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """``work()``, or ``TimeoutError``; then its thread is left to its own limits.

    Timeouts of sockets are for one silence each and know nothing of name servers: an answer that
    drips could hold a beat for hours.
    """
    box: Queue[tuple[Any, Exception | None]] = Queue()

    def run() -> None:
        try:
            box.put((work(), None))
        except Exception as error:  # handed to the waiting thread
            box.put((None, error))

    Thread(target=run, name="chat-model", daemon=True).start()
    try:
        value, error = box.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value


@cache
def _authorities() -> ssl.SSLContext:
    """The system's certificates, among which an institution installs its own authority."""
    return ssl.create_default_context()


class _Bounded(httpx.HTTPTransport):
    """Ends an answer that is longer than any right one, or that drips on after its time."""

    def __init__(self, deadline: float) -> None:
        super().__init__(verify=_authorities(), trust_env=False)
        self._deadline = deadline

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _BoundedBody(response.stream, self._deadline)
        return response


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, body: httpx.SyncByteStream, deadline: float) -> None:
        self._body = body
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._body:
            size += len(part)
            if size > _MAX_BYTES:
                raise ValueError("the answer is too long")
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer drips")
            yield part

    def close(self) -> None:
        self._body.close()


def _unconnected(error: BaseException) -> str:
    """Refused, or not reached for another reason; the address is not repeated."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return t("brain.refused")
        cause = cause.__cause__ or cause.__context__
    return t("brain.unreachable")


def _reply(message: Any) -> Reply:
    tokens = _count((message.usage_metadata or {}).get("total_tokens", 0))
    ended = message.response_metadata.get("finish_reason")
    if ended == "length":
        raise ModelError(why=t("brain.cut_off"), tokens=tokens)
    if ended != "stop" or not isinstance(message.content, str):
        raise ModelError(why=t("brain.not_valid", place="finish_reason"), tokens=tokens)
    return Reply(message.content, tokens)


def _count(tokens: object) -> int:
    return tokens if isinstance(tokens, int) and 0 <= tokens < 10_000_000 else 0
