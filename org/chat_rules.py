"""Rooms in which people chat among themselves, and the rules that find incidents in what they say.

Types, their validation and the pure question which rule matches a line; `board.intake` stores the
line and offers to open an issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from guardia.i18n import t
from guardia.org import phrase_match
from guardia.org.approvals import Period
from guardia.text import CLEANED, CleanStr, fold, is_blank, matching_form

RESERVED_RULE_IDS = frozenset(
    {"webhook", "kill", "link", "decision", "command", "thread", "choice"}
)
"""Names that the chat log uses for lines that no rule of the chart matched."""
KNOWN_SKILLS = (
    "DB",
    "WAS",
    "WEB",
    "SECURITY",
    "NETWORK",
    "STORAGE",
    "OS",
    "DEPLOY",
    "ACCOUNT",
    "BACKUP",
)
"""What a request can be about, whether or not an agent with that skill exists yet."""
_MAX_COOLDOWN = timedelta(days=1)
_MAX_WINDOW = timedelta(hours=2)
_MIN_RETENTION = timedelta(days=2)  # a button in a room is valid for one
_NAME = re.compile(r"\W*(\w+)\W*")
_SUFFIXES = re.compile("(?:야|님)$")


def _check_phrase(text: str) -> str:
    count = len(phrase_match.split_words(text))
    if not 1 <= count <= phrase_match.MAX_WORDS:
        raise ValueError(t("org.talk.phrase", most=phrase_match.MAX_WORDS))
    return text


def _check_cooldown(length: timedelta) -> timedelta:
    if length > _MAX_COOLDOWN:
        raise ValueError(t("org.talk.pause"))
    return length


def _check_window(length: timedelta) -> timedelta:
    if length > _MAX_WINDOW:
        raise ValueError(t("org.talk.window"))
    return length


def _check_retention(length: timedelta) -> timedelta:
    if length < _MIN_RETENTION:
        raise ValueError(t("org.talk.memory"))
    return length


def _check_line(text: str) -> str:
    if not text.isprintable() or is_blank(text):
        raise ValueError(t("org.talk.line"))
    return text


def _check_name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(t("org.talk.name"))
    return text


Phrase = Annotated[str, StringConstraints(max_length=40), CLEANED, AfterValidator(_check_phrase)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=40)]
RoomName = Annotated[str, StringConstraints(max_length=128), AfterValidator(_check_line)]
CallName = Annotated[str, StringConstraints(max_length=40), CLEANED, AfterValidator(_check_name)]
Cooldown = Annotated[Period, AfterValidator(_check_cooldown)]
Window = Annotated[Period, AfterValidator(_check_window)]
Retention = Annotated[Period, AfterValidator(_check_retention)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class TalkLine:
    """A line of a room, as rules see it."""

    sender: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """Why a rule finds a line, or does not."""

    found: tuple[str | None, ...]
    """For each list of `find`, the phrase that the line contains."""
    vetoed_by: str | None
    """The phrase of `unless` that the line contains."""

    @property
    def matches(self) -> bool:
        """Whether the line alone matches."""
        return None not in self.found and self.vetoed_by is None


class ChatRule(_Entry):
    """What one rule finds, and the issue that it offers to open."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,39}$")
    title: Annotated[str, StringConstraints(max_length=40), AfterValidator(_check_line)]
    find: tuple[Phrases, ...] = Field(min_length=1, max_length=4)
    """The line must contain at least one phrase of each list."""
    unless: tuple[Phrase, ...] = Field(default=(), max_length=40)
    """The line must contain none of these."""
    rooms: tuple[RoomName, ...] = ()
    """Empty: every chat room."""
    lines: int = Field(default=1, ge=1, le=20)
    """Number of matching lines, the last one included, before the rule offers anything."""
    people: int = Field(default=1, ge=1, le=10)
    """Number of different people who must have written them."""
    within: Window = Field(default=timedelta(minutes=10), json_schema_extra={"default": "10m"})
    """Time in which these lines must have been written."""
    across: bool = False
    """Whether the lists of `find` may be found in different lines of that time."""
    cause: Annotated[str, StringConstraints(max_length=40), AfterValidator(_check_line)] | None = (
        None
    )
    """Rules of one cause offer one button; unset: `skill`, or the rule itself."""
    cooldown: Cooldown = Field(default=timedelta(minutes=30), json_schema_extra={"default": "30m"})
    """How long its cause stays silent after an offer: in the room, and about the same server in
    every room."""
    institution: CleanStr | None = None
    skill: CleanStr | None = None
    """What the issue is about; overrides triage."""
    priority: Literal["P1", "P2", "P3", "P4"] | None = None

    @property
    def cause_key(self) -> str:
        """Name of the cause, equal for rules that offer one button."""
        return self.cause or self.skill or self.id

    @property
    def reads_talk(self) -> bool:
        """Whether the rule looks at more than one line."""
        return self.lines > 1 or self.people > 1 or self.across

    def explain(self, text: str) -> RuleFindings:
        """Return what the rule finds in a line."""
        found = tuple(phrase_match.found_phrase(text, group) for group in self.find)
        return RuleFindings(found, phrase_match.found_phrase(text, self.unless))

    def matches(self, text: str) -> bool:
        """Return whether one line alone matches."""
        found = all(phrase_match.contains_phrase(text, group) for group in self.find)
        return found and not self._denies(text)

    def fires(self, talk: Sequence[TalkLine]) -> bool:
        """Return whether the rule fires on the last line of a conversation.

        Lines before one that says the opposite (`unless`) do not count any more.
        """
        newest = talk[-1]
        if not self._touches(newest.text) or self._denies(newest.text):
            return False
        if not self.reads_talk:
            return True
        recent: list[TalkLine] = []
        for line in talk:
            if self._denies(line.text):
                recent = []
            elif line.at > newest.at - self.within and self._touches(line.text):
                recent.append(line)
        found = self.find if self.across else ()
        return (
            len(recent) >= self.lines
            and len({line.sender for line in recent}) >= self.people
            and all(any(phrase_match.contains_phrase(r.text, g) for r in recent) for g in found)
        )

    def _touches(self, text: str) -> bool:
        quantity = any if self.across else all
        return quantity(phrase_match.contains_phrase(text, group) for group in self.find)

    def _denies(self, text: str) -> bool:
        return phrase_match.contains_phrase(text, self.unless)


class ChatRules(_Entry):
    """Chat rooms and their rules; a line in any other room is a request."""

    rooms: tuple[RoomName, ...] = ()
    names: tuple[CallName, ...] = Field(default=("가디아", "GUARDiA"), max_length=10)
    """A line that begins with one of these is a request even in a chat room."""
    rules: tuple[ChatRule, ...] = Field(default=(), max_length=50)
    """The first match wins."""
    keep: Retention = Field(default=timedelta(days=90), json_schema_extra={"default": "90d"})
    """How long a line that opened no issue is kept."""

    def is_chat_room(self, room: str) -> bool:
        """Return whether people chat among themselves in a room."""
        return _normalized(room) in map(_normalized, self.rooms)

    def is_addressed(self, text: str) -> bool:
        """Return whether a line addresses GUARDiA: its first word is one of its names."""
        first = _NAME.match(fold(text[:200]))
        word = _SUFFIXES.sub("", _normalized(first[1])) if first else ""
        return bool(word) and any(
            word == _normalized(m[1]) for n in self.names if (m := _NAME.match(fold(n)))
        )

    def firing_rule(self, room: str, talk: Sequence[TalkLine]) -> ChatRule | None:
        """Return the first rule that fires on the last line of a room's talk, or `None`."""
        return next((r for r in self.rules_of(room) if r.fires(talk)), None)

    def reach(self, room: str) -> timedelta:
        """Return how far back the rules of a room look; zero if at one line only."""
        return max((r.within for r in self.rules_of(room) if r.reads_talk), default=timedelta(0))

    def rule(self, rule_id: str | None) -> ChatRule | None:
        """Return a rule by its id, or `None`."""
        return next((r for r in self.rules if r.id == rule_id), None)

    def rules_of(self, room: str) -> Iterator[ChatRule]:
        """Yield the rules of a room in their order."""
        name = _normalized(room)
        return (r for r in self.rules if not r.rooms or name in map(_normalized, r.rooms))


def _normalized(name: str) -> str:
    return matching_form(name).strip()
