"""Fit a prompt into a model's window: notes, passages and the end of a text are cut first.

Windows are small (4,096 tokens for Solar-10.7B), and the tokens of the answer count as well. The
window is that of the chart, or what the server says (`max_model_len` of vLLM's `/v1/models`).
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from guardia.agents.brain.chat import http_bounds
from guardia.agents.brain.chat.prompts import SHARES, Prompt
from guardia.errors import ModelError
from guardia.i18n import t
from guardia.org.brains import ModelChoice

T = TypeVar("T")

_SECONDS = 3.0
_SMALLEST = 4_096
_ANSWER_SHARE = 4
"""The answer gets at least a quarter of a small window."""
_LEAST_ANSWER = 256
_OVERHEAD = 64
"""Tokens that a server adds around the two messages."""
_HANGUL_TOKENS, _OTHER_TOKENS = 1.5, 0.5
"""Tokens per character that tokenizers without Korean words need, and per other character."""

_known: dict[tuple[str, str], int | None] = {}
_lock = Lock()


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A prompt that fits, and the tokens left for its answer."""

    prompt: Prompt[Any]
    answer_tokens: int


def window_of(choice: ModelChoice, key: SecretStr | None) -> int | None:
    """Return the tokens of prompt and answer together, or `None` if neither chart nor server say.

    The server is asked once per process; a server that does not answer is asked again.
    """
    if choice.window is not None or choice.provider != "openai" or choice.base_url is None:
        return choice.window
    place = choice.base_url, choice.model
    with _lock:
        if place in _known:
            return _known[place]
    try:
        found = _read(choice.base_url, choice.model, key)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
        return None
    with _lock:
        _known[place] = found
    return found


def _read(base_url: str, model: str, key: SecretStr | None) -> int | None:
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    address = f"{base_url.rstrip('/')}/models"
    timeout = (_SECONDS, _SECONDS, _SECONDS, _SECONDS)
    with http_bounds.bounded_client(httpx, timeout) as client:
        response = client.get(address, headers=headers)
        said: object = response.json() if response.is_success else None
    listed = said.get("data") if isinstance(said, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("id") == model:
            length = entry.get("max_model_len")
            return length if type(length) is int and length > 0 else None
    return None


def tokens_in(text: str) -> int:
    """Estimate the tokens of a text, rather too many than too few."""
    hangul = sum("\uac00" <= c <= "\ud7a3" for c in text)
    return round(hangul * _HANGUL_TOKENS + (len(text) - hangul) * _OTHER_TOKENS)


def fitted(
    choice: ModelChoice, key: SecretStr | None, system: str, prompt: Prompt[T]
) -> FittedPrompt:
    """Return the longest form of `prompt` that fits into the model's window with its answer.

    Raises `ModelError` if not even the shortest fits. A server is asked for its window only by
    prompts that the smallest usual one would not hold.
    """
    most = choice.max_tokens
    needed = tokens_in(system) + tokens_in(prompt.data) + most + _OVERHEAD
    if choice.window is None and needed <= _SMALLEST:
        return FittedPrompt(prompt, most)
    window = window_of(choice, key)
    if window is None or needed <= window:
        return FittedPrompt(prompt, most)
    answer = min(most, max(_LEAST_ANSWER, window // _ANSWER_SHARE))
    room = window - answer - _OVERHEAD - tokens_in(system)
    for share in SHARES:
        shorter = prompt.shortened(share)
        if tokens_in(shorter.data) <= room:
            return FittedPrompt(shorter, answer)
    raise ModelError(why=t("brain.window", window=window), answered=True)
