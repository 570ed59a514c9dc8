"""Try rules of conversation rooms: on given lines, and on the talk of the last days.

Nothing is stored and nothing is offered.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.intake.context_rules import named_server
from guardia.board.intake.model import ChatMessage
from guardia.org.chat_rules import RESERVED_RULE_IDS, ChatRule, ChatRules, RuleFindings, TalkLine

_MAX_LINES = 50_000
_MAX_SHOWN = 5
_SECONDS_BETWEEN = 5


@dataclass(frozen=True, slots=True)
class TriedRule:
    """What one rule finds in given lines."""

    rule: ChatRule
    findings: RuleFindings
    """In the last line."""
    fires: bool
    is_first: bool
    """Whether it is the one that would offer a button."""


@dataclass(frozen=True, slots=True)
class FiredLine:
    """A line on which a rule would have offered a button."""

    at: datetime
    room: str
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class DryRunResult:
    """How often a rule would have offered a button."""

    rule: ChatRule
    offers: int
    kept_back: int
    """Further lines on which it fired while its cause was silent."""
    newest: tuple[FiredLine, ...]


def try_lines(talk: ChatRules, room: str, lines: Sequence[str], now: datetime) -> list[TriedRule]:
    """Return what each rule of a room finds; a line may begin with a speaker: `이름: 글`."""
    conversation = [
        _parse(one, now + timedelta(seconds=n * _SECONDS_BETWEEN)) for n, one in enumerate(lines)
    ]
    rules = list(talk.rules_of(room)) if room else list(talk.rules)
    found: list[TriedRule] = []
    for rule in rules:
        fires = rule.fires(conversation)
        first = fires and not any(one.fires for one in found)
        found.append(TriedRule(rule, rule.explain(conversation[-1].text), fires, first))
    return found


def _parse(text: str, at: datetime) -> TalkLine:
    name, colon, rest = text.partition(":")
    if colon and rest.startswith(" ") and name.strip() and " " not in name.strip():
        return TalkLine(name.strip(), rest.strip(), at)
    return TalkLine("-", text, at)


def dry_run(board: BoardContext, talk: ChatRules, days: int = 7) -> list[DryRunResult]:
    """Return how often each rule would have fired on the talk of the last days."""
    since = board.clock() - timedelta(days=days)
    query = (
        select(ChatMessage)
        .where(
            ChatMessage.created_at >= since,
            or_(ChatMessage.rule.is_(None), ChatMessage.rule.not_in(RESERVED_RULE_IDS)),
        )
        .order_by(ChatMessage.created_at, ChatMessage.message_id)
        .limit(_MAX_LINES)
    )
    with board.database.reading() as session:
        trial = _DryRun(session, talk)
        for row in session.scalars(query):
            trial.read(row)
        return trial.results()


class _DryRun:
    """The state of rules while they read old talk."""

    def __init__(self, session: Session, talk: ChatRules) -> None:
        self._session, self._talk = session, talk
        self._recent: defaultdict[tuple[str, str], deque[TalkLine]] = defaultdict(deque)
        self._offers: defaultdict[str, list[tuple[datetime, str, str, str]]] = defaultdict(list)
        self._fired: defaultdict[str, list[FiredLine]] = defaultdict(list)
        self._kept_back: defaultdict[str, int] = defaultdict(int)

    def read(self, row: ChatMessage) -> None:
        """Let the rules read a line as if it had just been written."""
        if not self._talk.is_chat_room(row.room) or self._talk.is_addressed(row.text):
            return
        recent = self._recent[row.channel, row.room]
        recent.append(TalkLine(row.account or row.sender, row.text, row.created_at))
        reach = self._talk.reach(row.room)
        while recent[0].at < row.created_at - reach:
            recent.popleft()
        rule = self._talk.firing_rule(row.room, recent)
        if rule is None:
            return
        server = named_server(self._session, row.text)
        if self._is_silent(rule, row, server):
            self._kept_back[rule.id] += 1
            return
        self._offers[rule.cause_key].append((row.created_at, row.channel, row.room, server))
        line = FiredLine(row.created_at, row.room, row.sender, row.text)
        self._fired[rule.id].append(line)

    def _is_silent(self, rule: ChatRule, row: ChatMessage, server: str) -> bool:
        for at, channel, room, known in reversed(self._offers[rule.cause_key]):
            if at <= row.created_at - rule.cooldown:
                return False
            here = room == row.room and (not server or known in {"", server})
            if channel == row.channel and (here or (server and known == server)):
                return True
        return False

    def results(self) -> list[DryRunResult]:
        """Return a result for each rule, in their order."""
        return [
            DryRunResult(
                rule,
                len(self._fired[rule.id]),
                self._kept_back[rule.id],
                tuple(_newest(self._fired[rule.id])),
            )
            for rule in self._talk.rules
        ]


def _newest(lines: Sequence[FiredLine]) -> Iterable[FiredLine]:
    return reversed(lines[-_MAX_SHOWN:])
