"""Send one prompt to a chat model and return its answer in time, or raise `ModelError`.

The protocols are in the clients. Heavy libraries are imported with the first prompt.
"""

from __future__ import annotations

import json
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from textwrap import shorten
from threading import Thread
from typing import Any

from pydantic import SecretStr

from guardia.agents.brain.chat import client_factory, http_bounds
from guardia.agents.brain.chat.clients import (
    NO_USAGE,
    UNKNOWN_USAGE,
    ChatClient,
    ChatReply,
    ChatRequest,
    ConnectionFailure,
    TokenUsage,
)
from guardia.agents.brain.chat.parsing import plain_text
from guardia.agents.brain.chat.prompts import Prompt
from guardia.errors import Misconfigured, ModelError
from guardia.i18n import t
from guardia.org.brains import ModelChoice

log = logging.getLogger(__name__)

_warm: set[ModelChoice] = set()
"""Models that have answered this process: the first answer of a cold one takes minutes."""
_MAX_ERROR_TEXT = 200
_MAX_ERROR_BODY = 4000
_SECRETS = re.compile(
    r"(?i)\b(?:bearer|basic)\s+\S+|\b(?:sk|key|pk|api)[-_][\w-]{6,}|AIza[\w-]{10,}"
)
_CONNECT_SECONDS = 5.0
# The prompt was rejected; the server is not down.
_PROMPT_REJECTED = (400, 413, 422)
# May succeed soon, if the server says when.
_RETRYABLE = (429, 500, 502, 503, 504, 529)


# Second attempts: soon if the connection is refused (server restart), or when the server says.
_REFUSED_RETRY_SECONDS = 0.3
_MAX_RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ChatModel:
    """One model on one server."""

    choice: ModelChoice
    key: SecretStr | None = None
    answer_tokens: int | None = None
    """Most tokens of the answer if the window leaves fewer than the chart permits."""

    @property
    def name(self) -> str:
        """The model's name in the chart."""
        return self.choice.model

    def import_libraries(self) -> None:
        """Import what the first prompt needs, outside of its time limit."""
        with suppress(Misconfigured):  # reported when it is asked
            client_factory.client_for(self.choice.provider)
            import langsmith  # noqa: F401

    def answer(self, role: str, prompt: Prompt[Any], seconds: float) -> ChatReply:
        """Send the prompt and return the answer, or raise `ModelError`.

        The error holds `why` in Korean and the `usage` as far as known, `down=True` if the server
        is unhealthy and `answered=True` if the answer is unusable.

        One attempt, because the next model or the embedded brain is a better second try than a
        server in trouble, and the libraries' own retries would sleep for as long as the server
        likes. There is a second attempt only if it is promising: the server names a time
        (`Retry-After`) within half of the limit, or the connection was refused. Neither has used
        any tokens.
        """
        deadline = time.monotonic() + seconds
        try:
            return self._ask_once(role, prompt, seconds)
        except ModelError as error:
            wait = error.detail.get("again_in")
            left = deadline - time.monotonic()
            if not isinstance(wait, float) or not 0 <= wait <= min(_MAX_RETRY_SECONDS, left / 2):
                raise
        time.sleep(wait)
        return self._ask_once(role, prompt, deadline - time.monotonic())

    def _ask_once(self, role: str, prompt: Prompt[Any], seconds: float) -> ChatReply:
        chat_client = client_factory.client_for(self.choice.provider)
        # With odd types in an answer, these warnings repeat what the server sent.
        warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)
        try:
            message = _run_with_timeout(
                seconds, lambda: self._invoke(chat_client, role, prompt, seconds)
            )
        except Exception as error:  # any error here was caused by what the server sent
            raise self._model_error(chat_client, error, seconds) from None
        _warm.add(self.choice)
        return chat_client.reply(message)

    def _invoke(
        self, chat_client: ChatClient, role: str, prompt: Prompt[Any], seconds: float
    ) -> Any:
        from langsmith import tracing_context

        # A tuple (connect, read, write, pool): langchain caches a client per hashable timeout.
        timeout = (min(_CONNECT_SECONDS, seconds), seconds, seconds, seconds)
        with (
            http_bounds.bounded_client(chat_client.http_library, timeout) as client,
            tracing_context(enabled=False),
        ):
            choice = self.choice
            if self.answer_tokens is not None:
                choice = choice.model_copy(update={"max_tokens": self.answer_tokens})
            call = ChatRequest(
                choice, self.key, system_prompt(role, prompt), prompt, client, timeout
            )
            return chat_client.invoke(call)

    def _error_text(self, error: Exception) -> str:
        """Return what the server says about its error, on one line, without secrets."""
        said = next(filter(None, map(_response_text, _causes(error))), "")
        secret = self.key.get_secret_value() if self.key else ""
        if secret:
            said = said.replace(secret, "…")
        return shorten(plain_text(_SECRETS.sub("…", said)), _MAX_ERROR_TEXT, placeholder="…")

    def _model_error(self, chat_client: ChatClient, error: Exception, seconds: float) -> ModelError:
        match chat_client.classify_error(error):
            case ConnectionFailure.SLOW:
                why = t("brain.timed_out", seconds=f"{seconds:.3g}")
                return ModelError(why=why, down=True, usage=_possible_usage(error))
            case ConnectionFailure.UNCONNECTED:
                again_in = _REFUSED_RETRY_SECONDS if _was_refused(error) else None
                why = t("brain.refused" if again_in else "brain.unreachable")
                usage = _possible_usage(error)
                return ModelError(why=why, down=True, usage=usage, again_in=again_in)
            case int(status):
                down = status not in _PROMPT_REJECTED
                again_in = _retry_after(error) if status in _RETRYABLE else None
                _warm.add(self.choice)
                said = self._error_text(error)
                key = "brain.http_error_text" if said else "brain.http_error"
                why = t(key, status=status, text=said)
                return ModelError(why=why, down=down, usage=NO_USAGE, again_in=again_in)
        # Its message may repeat the answer; the type is enough.
        log.warning("chat model %s: unusable answer (%s)", self.name, type(error).__name__)
        why = t("brain.not_valid", place="HTTP")
        return ModelError(why=why, answered=True, usage=UNKNOWN_USAGE)


def time_limit(choice: ModelChoice) -> float:
    """Return the seconds for a call: more until the model has answered once."""
    return choice.timeout if choice in _warm else choice.cold_seconds


def system_prompt(role: str, prompt: Prompt[Any]) -> str:
    """Return the text that precedes the data."""
    return "\n\n".join(filter(None, [role, prompt.instructions]))


def _run_with_timeout(seconds: float, work: Callable[[], Any]) -> Any:
    """Return `work()`. Raises `TimeoutError` after `seconds` and abandons its thread.

    Socket timeouts apply to each silence and do not cover name resolution: a slow trickle of an
    answer could block a beat for hours.
    """
    box: Queue[tuple[Any, Exception | None]] = Queue()

    def run() -> None:
        try:
            box.put((work(), None))
        except Exception as error:  # raised in the waiting thread
            box.put((None, error))

    Thread(target=run, name="chat-model", daemon=True).start()
    try:
        value, error = box.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _response_text(error: BaseException) -> str:
    """Return the message in the body of an HTTP error, or the body itself; empty if there is none.

    Servers send `{"error": {"message"}}`, `{"error": text}`, `{"detail"}`, `{"message"}`, or text.
    """
    body = getattr(getattr(error, "response", None), "text", "")
    if not isinstance(body, str):
        return ""
    body = body[:_MAX_ERROR_BODY]
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    return found if isinstance(found, str) else ""


def _was_refused(error: BaseException) -> bool:
    return any(isinstance(cause, ConnectionRefusedError) for cause in _causes(error))


def _possible_usage(error: BaseException) -> TokenUsage:
    """Return no usage if nothing was sent, or unknown usage otherwise."""
    # By name: each HTTP library has its own classes.
    unsent = {"ConnectError", "ConnectTimeout", "UnsupportedProtocol", "ConnectionRefusedError"}
    return NO_USAGE if any(type(c).__name__ in unsent for c in _causes(error)) else UNKNOWN_USAGE


def _retry_after(error: Exception) -> float | None:
    """Return the seconds of `Retry-After` if the server sent a number."""
    for cause in _causes(error):
        headers = getattr(getattr(cause, "response", None), "headers", None)
        try:
            return float(headers.get("retry-after"))  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError):
            continue
    return None
