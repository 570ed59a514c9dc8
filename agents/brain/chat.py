"""The chat-model brain: a model chooses from what it is given; else the embedded brain answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from pydantic import SecretStr

from guardia.agents.brain import question, role
from guardia.agents.brain.breaker import Breaker, breaker_of
from guardia.agents.brain.model import ChatModel, Reply
from guardia.agents.brain.question import Question
from guardia.agents.brain.thought import Brain, Choice, Thought
from guardia.agents.brain.triage import Triage
from guardia.errors import Misconfigured, ModelError
from guardia.i18n import t
from guardia.knowledge.library import Found
from guardia.org.chart import BrainChoice
from guardia.org.directory import Directory
from guardia.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


class ChatBrain:
    """Asks the model of a chart entry, and ``fallback`` whenever its answer cannot be used.

    ``role_file`` is the agent's instructions, relative to ``agents/``. ``key`` and ``breaker``
    are the installation's key and the server's own breaker unless given.
    """

    def __init__(
        self,
        choice: BrainChoice,
        fallback: Brain,
        role_file: str | None = None,
        *,
        key: SecretStr | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        if not choice.base_url or not choice.model:
            raise Misconfigured(what="brain", why=t("brain.incomplete"))
        self._model = ChatModel(
            choice.base_url, choice.model, choice.timeout, key or Settings().model_key
        )
        self._fallback = fallback
        self._role_file = role_file
        self._breaker = breaker or breaker_of(choice.base_url)

    def triage(self, text: str, directory: Directory) -> Thought[Triage]:
        """Classify by the model, choosing from the directory."""
        return self._think(
            question.about_request(text, directory),
            otherwise=lambda: self._fallback.triage(text, directory),
        )

    def choose(self, text: str, found: tuple[Found, ...]) -> Thought[Choice]:
        """Let the model pick one of ``found``; without any there is nothing to ask."""
        if not found:
            return self._fallback.choose(text, found)
        return self._think(
            question.about_procedures(text, found),
            otherwise=lambda: self._fallback.choose(text, found),
        )

    def _think(self, asked: Question[T], *, otherwise: Callable[[], Thought[T]]) -> Thought[T]:
        tokens = 0
        try:
            reply = self._ask(asked)
            tokens = reply.tokens
            answer = asked.read(reply.text)
        except (ModelError, Misconfigured) as error:
            why = str(error.detail["why"])
            log.warning("chat model %s, %s: %s", self._model.name, asked.name, why)
            remark = t("brain.fell_back", model=self._model.name, why=why)
            tokens = int(error.detail.get("tokens", tokens))  # type: ignore[call-overload]
            return replace(otherwise(), remark=remark, tokens=tokens)
        return Thought(answer, f"chat:{self._model.name}", tokens=tokens)

    def _ask(self, asked: Question[T]) -> Reply:
        instructions = role.instructions(self._role_file)
        if not self._breaker.admits():
            raise ModelError(why=t("brain.paused"))
        try:
            reply = self._model.answer(instructions, asked)
        except ModelError as error:
            # Bad answers are not counted: a request that provokes them must not silence the model.
            if error.detail.get("down"):
                self._breaker.failed()
            else:
                self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return reply
