"""The one pipeline of a room's line, for every channel: what the line means and what answers it.

Each step answers the lines that are its own and leaves the others to the next one. The stop word
comes first, and reads the line before anything else does; the last step takes every line.
"""

from __future__ import annotations

from collections.abc import Callable

from guardia.board.assignment import answers
from guardia.board.control import kill_text
from guardia.board.control.kill_result import KillResult
from guardia.board.core.context import BoardContext
from guardia.board.intake import (
    account_linking,
    context_rules,
    limits,
    offers,
    spoken_choices,
    stop_command,
    thread_replies,
)
from guardia.board.intake.command_step import command_step
from guardia.board.intake.decision_words import answer_decision, parse_decision_words
from guardia.board.intake.link_code_parser import parse_link_code
from guardia.board.intake.stop_word import is_stop_command
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.errors import Throttled
from guardia.i18n import t
from guardia.settings import Settings

Step = Callable[[BoardContext, RoomLine, Settings], ConversationReply | None]


def answer_line(board: BoardContext, line: RoomLine, settings: Settings) -> ConversationReply:
    """Handle a line of a room and return the answer. A repeated delivery has no further effect."""
    for step in STEPS:
        reply = step(board, line, settings)
        if reply is not None:
            return reply
    return ConversationReply()


def _stop(board: BoardContext, line: RoomLine, _settings: Settings) -> ConversationReply | None:
    if not is_stop_command(line.text):
        return None
    return ConversationReply(_stop_text(stop_command.handle_stop(board, line)))


def _link(board: BoardContext, line: RoomLine, _settings: Settings) -> ConversationReply | None:
    code = parse_link_code(line.text)
    if code is None:
        return None
    try:
        found = account_linking.link_account(board, line, code)
    except Throttled as error:
        return ConversationReply(str(error))
    return ConversationReply(t(f"intake.claim.{found or account_linking.LinkResult.LINKED}"))


def _decide(board: BoardContext, line: RoomLine, settings: Settings) -> ConversationReply | None:
    decided = parse_decision_words(line.text)
    if decided is None:
        return None
    if refusal := limits.refusal(board, line, settings):
        return refusal
    return ConversationReply(answer_decision(board, line, decided, line.board_url))


def _receive(board: BoardContext, line: RoomLine, settings: Settings) -> ConversationReply:
    bounds = limits.IntakeBounds.of(settings)
    result = context_rules.handle_line(board, line, addressed=line.addressed, bounds=bounds)
    if result.offer is not None:
        return offers.offer_reply(result.offer)
    return ConversationReply(_request_text(result))


STEPS: tuple[Step, ...] = (
    _stop,
    _link,
    _decide,
    spoken_choices.choose,
    answers.answer_question,
    command_step,
    thread_replies.add_to_issue,
    answers.small_talk,
    _receive,
)
"""In the order in which they read a line."""


def _stop_text(killed: KillResult) -> str:
    if killed.already_on:
        return t("intake.stopped_already")
    if killed.local is not None:
        return kill_text.local_outcome(killed.local)
    return t("intake.stopped", tasks=killed.stopped, undoing=killed.undoing)


def _request_text(result: context_rules.LineResult) -> str:
    limit = result.limit
    if limit is not None and not limit.accepted:
        return t("intake.limited", limit=limit.per_minute) if limit.is_first_refusal else ""
    received = t("intake.received", sr=result.sr_id) if result.sr_id else ""
    if limit is None or not limit.refused_before:
        return received
    return f"{t('intake.refused_before', count=limit.refused_before)} {received}"
