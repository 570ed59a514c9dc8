"""Brain on chat models, which choose from what they are given; the embedded brain as fallback."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import SecretStr

from guardia.agents.brain import metering, role
from guardia.agents.brain.chat import merging, prompts, window
from guardia.agents.brain.chat.breaker import CircuitBreaker, breaker_for
from guardia.agents.brain.chat.clients import NO_USAGE, ChatReply, TokenUsage
from guardia.agents.brain.chat.model import ChatModel, system_prompt, time_limit
from guardia.agents.brain.chat.prompts import Prompt
from guardia.agents.brain.embedded import NAME as GRAMMAR
from guardia.agents.brain.goals import scope
from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.metering import UsageMeter
from guardia.agents.brain.protocol import Brain, BrainResult, RunbookChoice
from guardia.agents.brain.triage.classify import Triage
from guardia.board.command.names import Names
from guardia.board.command.openings import read_with_openings
from guardia.board.command.structure import NONE, Command, Situation
from guardia.board.costs.budget_accounts import BudgetRefusal
from guardia.errors import Misconfigured, ModelError
from guardia.i18n import t
from guardia.knowledge.library import RunbookMatch
from guardia.org.brains import BrainChoice, ModelChoice
from guardia.org.credential_store import FileCredentialStore, with_stored_secrets
from guardia.org.directory import Directory
from guardia.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")


def installed_key(choice: ModelChoice) -> SecretStr | None:
    """Return the model's own API key if it has one, or that of the installation."""
    settings = Settings()
    if choice.credential is None:
        return with_stored_secrets(settings, FileCredentialStore(settings.secrets)).model_key
    return SecretStr(FileCredentialStore(settings.secrets).get(choice.credential))


def breaker_for_model(choice: ModelChoice) -> CircuitBreaker:
    """Return the circuit breaker of the model's server."""
    return breaker_for(choice.base_url or choice.provider)


class ChatBrain:
    """Asks the models of a chart entry in turn, and `fallback` if none gives a usable answer.

    `meter` reserves budget before each call and settles it afterwards. `role_file` holds the
    agent's instructions, relative to `agents/`.
    """

    def __init__(
        self,
        choice: BrainChoice,
        fallback: Brain,
        role_file: str | None = None,
        *,
        meter: UsageMeter,
        key: Callable[[ModelChoice], SecretStr | None] = installed_key,
        breaker: Callable[[ModelChoice], CircuitBreaker] = breaker_for_model,
    ) -> None:
        if not choice.models_in_order:
            raise Misconfigured(what="brain", why=t("brain.incomplete"))
        self._choice = choice
        self._fallback = fallback
        self._role_file = role_file
        self._meter = meter
        self._key = key
        self._breaker = breaker

    def triage(self, text: str, directory: Directory) -> BrainResult[Triage]:
        """Classify by the rules, and let a model fill what they are unsure of."""
        rules = self._fallback.triage(text, directory)
        result = self._ask_models(prompts.triage_prompt(text, directory), otherwise=lambda: rules)
        if result.by == rules.by:
            return result
        merged = merging.merge_triage(
            rules.answer, result.answer, text, directory, self._choice.decides
        )
        return replace(result, answer=merged)

    def command(self, line: str, situation: Situation, names: Names) -> BrainResult[Command]:
        """Read a line by the grammar, and let a model choose only where the grammar is unsure.

        A model never makes anything of a line that ends, undoes or permits something which the
        grammar did not see in it.
        """
        grammar, found = read_with_openings(line, situation, names)
        sure = BrainResult(grammar, GRAMMAR)
        if found is None:
            return sure
        result = self._ask_models(prompts.command_prompt(line, found), otherwise=lambda: sure)
        decides = "command" in self._choice.decides and result.answer != NONE
        return replace(result, answer=result.answer if decides else grammar)

    def divide(self, text: str, directory: Directory) -> BrainResult[tuple[GoalPiece, ...]]:
        """Let a model split a goal within the scope of its own words.

        Work that only the rules find is added. A goal that exceeds the length of a prompt is split
        by the rules alone.
        """
        if len(text) > prompts.MAX_TEXT:
            return self._fallback.divide(text, directory)
        rules = self._fallback.divide(text, directory)
        result = self._ask_models(
            prompts.goal_prompt(text, scope.goal_scope(text, directory)), otherwise=lambda: rules
        )
        if result.by == rules.by:
            return result
        return replace(result, answer=merging.complete_division(result.answer, text, directory))

    def choose(
        self, text: str, found: tuple[RunbookMatch, ...], notes: tuple[str, ...] = ()
    ) -> BrainResult[RunbookChoice]:
        """Let a model choose one of `found`; without any, the fallback answers."""
        if not found:
            return self._fallback.choose(text, found)
        return self._ask_models(
            prompts.choice_prompt(text, found, notes),
            otherwise=lambda: self._fallback.choose(text, found),
        )

    def compose(self, question: str, passages: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Let a model answer from passages: sentences, each with the position of the one it cites.

        Empty if no model gives a usable answer. The caller compares it with the passages.
        """
        empty: BrainResult[tuple[tuple[str, str], ...]] = BrainResult((), "embedded")
        result = self._ask_models(
            prompts.composed_prompt(question, passages), otherwise=lambda: empty
        )
        return tuple((text, int(name) - 1) for text, name in result.answer)

    def _ask_models(
        self, prompt: Prompt[T], *, otherwise: Callable[[], BrainResult[T]]
    ) -> BrainResult[T]:
        for choice in self._choice.models_in_order:
            ChatModel(choice).import_libraries()
        deadline = time.monotonic() + self._choice.limit
        tried: list[str] = []
        refused: BudgetRefusal | None = None
        for choice in self._choice.models_in_order:
            seconds = min(time_limit(choice), deadline - time.monotonic())
            if seconds <= 0:
                break
            try:
                answer = self._ask(choice, prompt, seconds)
            except (ModelError, Misconfigured) as error:
                why = str(error.detail["why"])
                log.warning("chat model %s, %s: %s", choice.model, prompt.name, why)
                tried.append(f"{choice.model}: {why}")
                found = error.detail.get("refusal")
                refused = found if isinstance(found, BudgetRefusal) else refused
                continue
            caveat = t("brain.went_on", tried="; ".join(tried)) if tried else ""
            return BrainResult(answer, f"chat:{choice.model}", caveat)
        if refused is not None and refused.pauses_agent:
            self._meter.pause_agent(refused)
        return replace(otherwise(), caveat=t("brain.fell_back", tried="; ".join(tried)))

    def _ask(self, choice: ModelChoice, prompt: Prompt[T], seconds: float) -> T:
        """Return one model's answer. Its usage is charged in any case. Raises `ModelError`."""
        instructions = role.instructions(self._role_file)
        key, breaker = self._key(choice), self._breaker(choice)
        if not breaker.allows():
            raise ModelError(why=t("brain.paused"))
        system = system_prompt(instructions, prompt)
        fit = window.fitted(choice, key, system, prompt)
        prompt, model = fit.prompt, ChatModel(choice, key, fit.answer_tokens)
        request = metering.worst_case(choice, system, prompt, seconds)
        call = self._meter.reserve(request)
        if isinstance(call, BudgetRefusal):
            raise ModelError(why=call.why, refusal=call)
        started = time.monotonic()
        usage, outcome, why = NO_USAGE, "failed", ""
        try:
            reply = _send(model, breaker, instructions, prompt, seconds)
            usage, outcome = reply.usage, "unusable"
            answer = prompt.parse(reply.text)
            outcome = "used"
            return answer
        except ModelError as error:
            why = str(error.detail["why"])
            usage = _usage_of(error, usage)
            outcome = "unusable" if error.detail.get("answered") else outcome
            raise
        finally:
            milliseconds = round((time.monotonic() - started) * 1000)
            self._meter.settle(call, metering.call_result(outcome, usage, milliseconds, why))


def _usage_of(error: ModelError, before: TokenUsage) -> TokenUsage:
    usage = error.detail.get("usage", before)
    return usage if isinstance(usage, TokenUsage) else before


def _send(
    model: ChatModel,
    breaker: CircuitBreaker,
    instructions: str,
    prompt: Prompt[Any],
    seconds: float,
) -> ChatReply:
    try:
        reply = model.answer(instructions, prompt, seconds)
    except ModelError as error:
        # Unusable answers do not count: a request that provokes them must not disable the model.
        if error.detail.get("down"):
            breaker.record_failure()
        else:
            breaker.record_success()
        raise
    breaker.record_success()
    return reply
