"""The chat-model brain: models in order choose from what they are given; else the embedded brain
answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import SecretStr

from guardia.agents.brain import metered as metering
from guardia.agents.brain import role
from guardia.agents.brain.chat import prompts
from guardia.agents.brain.chat.breaker import Breaker, breaker_of
from guardia.agents.brain.chat.clients import NOTHING, Reply, Usage
from guardia.agents.brain.chat.model import ChatModel, system
from guardia.agents.brain.chat.prompts import Question
from guardia.agents.brain.goals import scope
from guardia.agents.brain.goals.breakdown import Piece
from guardia.agents.brain.metered import Meter
from guardia.agents.brain.protocol import Brain, Choice, Thought
from guardia.agents.brain.triage.classify import Triage
from guardia.board.costs.budget_accounts import Refusal
from guardia.errors import Misconfigured, ModelError
from guardia.i18n import t
from guardia.knowledge.library import Found
from guardia.org.brains import BrainChoice, ModelChoice
from guardia.org.directory import Directory
from guardia.org.keys import FileKeys, complete
from guardia.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


def installed_key(choice: ModelChoice) -> SecretStr | None:
    """The model's own API key, else the installation's."""
    settings = Settings()
    if choice.credential is None:
        return complete(settings, FileKeys(settings.secrets)).model_key
    return SecretStr(FileKeys(settings.secrets).get(choice.credential))


def own_breaker(choice: ModelChoice) -> Breaker:
    """The one of the model's server."""
    return breaker_of(choice.base_url or choice.provider)


class ChatBrain:
    """Asks the models of a chart entry in turn, and ``fallback`` where no answer can be used.

    ``meter`` is asked before each question and told of each answer. ``role_file`` is the agent's
    instructions, relative to ``agents/``.
    """

    def __init__(
        self,
        choice: BrainChoice,
        fallback: Brain,
        role_file: str | None = None,
        *,
        meter: Meter,
        key: Callable[[ModelChoice], SecretStr | None] = installed_key,
        breaker: Callable[[ModelChoice], Breaker] = own_breaker,
    ) -> None:
        if not choice.chain:
            raise Misconfigured(what="brain", why=t("brain.incomplete"))
        self._choice = choice
        self._fallback = fallback
        self._role_file = role_file
        self._meter = meter
        self._key = key
        self._breaker = breaker

    def triage(self, text: str, directory: Directory) -> Thought[Triage]:
        """Classify by a model, choosing from the directory."""
        return self._think(
            prompts.about_request(text, directory),
            otherwise=lambda: self._fallback.triage(text, directory),
        )

    def divide(self, text: str, directory: Directory) -> Thought[tuple[Piece, ...]]:
        """Let a model plan a goal within what its own words name; a goal that is longer than what
        a model is shown is cut by the rules alone."""
        if len(text) > prompts.MAX_TEXT:
            return self._fallback.divide(text, directory)
        return self._think(
            prompts.about_goal(text, scope.scope(text, directory)),
            otherwise=lambda: self._fallback.divide(text, directory),
        )

    def choose(
        self, text: str, found: tuple[Found, ...], notes: tuple[str, ...] = ()
    ) -> Thought[Choice]:
        """Let a model pick one of ``found``; without any there is nothing to ask."""
        if not found:
            return self._fallback.choose(text, found)
        return self._think(
            prompts.about_procedures(text, found, notes),
            otherwise=lambda: self._fallback.choose(text, found),
        )

    def _think(self, asked: Question[T], *, otherwise: Callable[[], Thought[T]]) -> Thought[T]:
        deadline = time.monotonic() + self._choice.limit
        tried: list[str] = []
        refused: Refusal | None = None
        for choice in self._choice.chain:
            seconds = min(choice.timeout, deadline - time.monotonic())
            if seconds <= 0:
                break
            try:
                answer = self._ask(choice, asked, seconds)
            except (ModelError, Misconfigured) as error:
                why = str(error.detail["why"])
                log.warning("chat model %s, %s: %s", choice.model, asked.name, why)
                tried.append(f"{choice.model}: {why}")
                found = error.detail.get("refusal")
                refused = found if isinstance(found, Refusal) else refused
                continue
            remark = t("brain.went_on", tried="; ".join(tried)) if tried else ""
            return Thought(answer, f"chat:{choice.model}", remark)
        if refused is not None and refused.pauses:
            self._meter.rest(refused)
        return replace(otherwise(), remark=t("brain.fell_back", tried="; ".join(tried)))

    def _ask(self, choice: ModelChoice, asked: Question[T], seconds: float) -> T:
        """One model's answer, paid for whatever it was; ``ModelError`` where it is none."""
        instructions = role.instructions(self._role_file)
        model, breaker = ChatModel(choice, self._key(choice)), self._breaker(choice)
        if not breaker.admits():
            raise ModelError(why=t("brain.paused"))
        bid = metering.bid(choice, system(instructions, asked), asked, seconds)
        call = self._meter.reserve(bid)
        if isinstance(call, Refusal):
            raise ModelError(why=call.why, refusal=call)
        begun = time.monotonic()
        usage, outcome, why = NOTHING, "failed", ""
        try:
            reply = _sent(model, breaker, instructions, asked, seconds)
            usage, outcome = reply.usage, "unusable"
            answer = asked.read(reply.text)
            outcome = "used"
            return answer
        except ModelError as error:
            why = str(error.detail["why"])
            usage = _used(error, usage)
            outcome = "unusable" if error.detail.get("answered") else outcome
            raise
        finally:
            milliseconds = round((time.monotonic() - begun) * 1000)
            self._meter.settle(call, metering.ended(outcome, usage, milliseconds, why))


def _used(error: ModelError, before: Usage) -> Usage:
    usage = error.detail.get("usage", before)
    return usage if isinstance(usage, Usage) else before


def _sent(
    model: ChatModel, breaker: Breaker, instructions: str, asked: Question[Any], seconds: float
) -> Reply:
    try:
        reply = model.answer(instructions, asked, seconds)
    except ModelError as error:
        # Bad answers are not counted: a request that provokes them must not silence the model.
        if error.detail.get("down"):
            breaker.failed()
        else:
            breaker.succeeded()
        raise
    breaker.succeeded()
    return reply
