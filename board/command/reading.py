"""What a line says: the acts it names and how each is meant, the marks, the kind of sentence."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from guardia.board.command import times
from guardia.board.command.compact import Compact, Mark
from guardia.board.command.lexicon import lexicon
from guardia.board.command.names import Names
from guardia.board.command.respelling import respell
from guardia.board.command.structure import Situation

_QUOTES = re.compile(
    r"\"([^\"]+)\"|'([^']+)'|“([^”]+)”|‘([^’]+)’|「([^」]+)」|『([^』]+)』|`([^`]+)`"
)
_MENTION = re.compile(
    r"\s*(?:(?:@[a-z0-9._-]+|(?:가디아|guardia)(?:야|님|씨|아)?)(?:[,:!]+\s*|\s+|$))+",
    re.IGNORECASE,
)
"""Who is addressed; what follows is the line."""
_PRIORITY = re.compile(
    r"p(?P<p>[1-4])(?![0-9])|(?P<rank>[1-4])(?:순위|등급|급)|"
    r"(?:우선순위|중요도|긴급도)(?:를|을|는|은|좀)?(?P<word>긴급|최우선|최상|높음|상|보통|중간|중|낮음|최하|하)(?=으로|로|급|$)|(?P<top>최우선|긴급(?=(?:건)?으로))"
    r"|(?:우선순위|중요도|긴급도)(?:를|을|는|은)?(?:제일|가장|최대한)?(?:(?P<most>높게|높이|급하게)|(?P<least>낮게))"
    r"|(?:우선순위|중요도|긴급도)(?:를|을)?(?P<digit>[1-4])(?:등급|급|순위)?(?=(?:으)?로|[.!]*$)"
)
_RANKS = {"긴급": 1, "최우선": 1, "최상": 1, "높음": 2, "상": 2, "보통": 3, "중간": 3, "중": 3,
          "낮음": 4, "하": 4, "최하": 4}  # fmt: skip
_NUMBER = re.compile(
    r"(?:(?:sr|이슈|티켓|일감|접수번호|접수|요청번호|건번호|번호|no\.?|ticket|issue)[-_#:]?|#)(?P<marked>\d{1,9})"
    r"(?:번(?!째|서버|호기))?(?:(?:건|작업|이슈|티켓|sr|일감|요청|장애)(?:번)?(?!수))?"
    r"|^(?P<first>\d{2,9})(?=[PUAO](?:님|씨)?(?:으로|로|한테|에게|께))"
    r"|(?<![\d:/-])(?<!\d\.)(?P<plain>\d{1,9})번(?!째|서버|호기|포트|정도|만|이나|씩|넘게)(?:(?:건|작업|이슈|티켓|sr|일감|요청|장애)(?!수))?"
)
_DEICTIC = re.compile(
    r"(?:이번|이|그|저|해당|본|요|현재|지금이|지금|방금)(?:작업|건(?!수)|sr|이슈|요청건|요청|티켓|일감|장애|(?:조치|작업|변경)?계획(?:서)?)(?!들)|(?:이|요|그)거(?!말고)|이것|그것|이걸|얘(?!기|네)"
    r"|(?:배정|할당|지정)된(?=(?:담당)?(?:엔지니어|담당자?|직원)(?:를|을|은|는|만|[,.!PUAMO]))"
)
_SELF = re.compile(
    r"(?:저|나)(?=한테|에게|로(?!그)|가져|가(?:처리|맡|할|직접))|(?:제|내)(?=가|게|앞으로|이름으로|담당으로)|본인(?=한테|에게|이|앞|으로)"
)
_AGENTS = re.compile(r"(?:ai)?에이전트(?:들)?|ai(?:봇)?(?:들)?(?![a-z])|인공지능")


_SENTENCE_END = re.compile(r"(?<=[다요오])[.!?]+")


class Mood(StrEnum):
    """How an act is meant."""

    COMMAND = "command"
    NEGATED = "negated"
    QUESTION = "question"
    SUPPOSED = "supposed"
    """For the case that something happens."""
    PAST = "past"
    """As done, or whether it is."""
    UNSURE = "unsure"
    """What follows is not known to make it a command: enough to ask back, not to act."""
    TOLD = "told"
    """As planned, or as a part of a name: nothing is asked for."""


@dataclass(frozen=True, slots=True)
class Act:
    """An act that a line names."""

    name: str
    begin: int
    end: int
    mood: Mood

    def is_mark_before(self, position: int) -> bool:
        """Return whether its word is a single mark that a later one at `position` replaces."""
        return self.end - self.begin == 1 and self.begin < position


_SHARING = frozenset({"set_priority", "set_auto", "set_manual"})
"""Acts whose words another act may use too."""
_DANGEROUS = frozenset({"abort", "rollback", "approve"})
"""Acts that end, undo or permit something; with all works on servers."""

_MOODS = (
    ("negated", Mood.NEGATED),
    ("object", Mood.TOLD),
    ("polite", Mood.COMMAND),
    ("past", Mood.PAST),
    ("deferred", Mood.TOLD),
    ("conditional", Mood.SUPPOSED),
    ("adnominal", Mood.TOLD),
    ("nominal", Mood.TOLD),
    ("question", Mood.QUESTION),
)
"""The mood that each tail gives; the first that fits decides."""


class LineReading:
    """One line, read once."""

    def __init__(self, line: str, situation: Situation, names: Names) -> None:
        self.situation = situation
        self.names = names
        self.compact = Compact.of(_without_mention(line))
        self._mark()
        self.text = self.compact.text
        self.acts = self._find_acts()

    def _mark(self) -> None:
        compact = self.compact
        compact.replace(_QUOTES, self._quoted)
        self.names.mark(compact)
        respell(compact)
        compact.replace(_PRIORITY, _priority)
        times.mark(compact, self.situation.now)
        compact.replace(
            _NUMBER, lambda m: Mark("N", int(m["marked"] or m["first"] or m["plain"]), *m.span())
        )
        compact.replace(_DEICTIC, lambda m: Mark("D", None, *m.span()))
        compact.replace(_SELF, lambda m: Mark("M", None, *m.span()))
        compact.replace(_AGENTS, lambda m: Mark("G", None, *m.span()))

    def _quoted(self, match: re.Match[str]) -> Mark:
        group = next(i for i, text in enumerate(match.groups(), 1) if text)
        return Mark("Q", self.compact.original_of(match, group), *match.span())

    # --- marks ------------------------------------------------------------------------------

    def values(self, sign: str) -> list[Any]:
        """Return the values of the marks of a kind, in order."""
        return [mark.value for mark in self.compact.all(sign)]

    def has(self, signs: str) -> bool:
        """Return whether the line holds one of these marks."""
        return any(sign in self.text for sign in signs)

    @cached_property
    def numbers(self) -> list[int]:
        """The issue numbers, each once; only the chosen one if there were several."""
        if (chosen := self.situation.answered("sr")) is not None:
            return [int(chosen)]
        words = lexicon().words
        marks = [i for i, sign in enumerate(self.text) if sign == "N"]
        kept = [i for i in marks if not words["corrected"].match(self.text, i + 1)]
        asked = [i for i in kept if not words["left_alone"].match(self.text, i + 1)]
        kept = asked or kept
        return list(dict.fromkeys(self.compact.mark_at(i).value for i in kept))

    @property
    def names_issue(self) -> bool:
        """Whether the line is about one issue: it names it or points at it, or it was chosen."""
        return self.has("ND") or self.situation.answered("sr") is not None

    @property
    def sr_id(self) -> int | None:
        """The issue that the line names or points at, if it is known."""
        if self.numbers:
            return self.numbers[0]
        return self.situation.sr_id if "D" in self.text else None

    # --- acts -------------------------------------------------------------------------------

    def _find_acts(self) -> list[Act]:
        words = lexicon()
        found: list[Act] = []
        taken = [False] * (len(self.text) + 1)
        for name, pattern in (*words.works.items(), *words.acts.items()):
            shares = name in _SHARING
            for match in pattern.finditer(self.text):
                begin, end = match.span()
                if begin == end or (any(taken[begin:end]) and name != "set_manual"):
                    continue
                if not shares:
                    taken[begin:end] = [True] * (end - begin)
                found.append(Act(name, begin, end, self._mood(name, begin, end)))
        return sorted(found, key=lambda act: act.begin)

    def _mood(self, name: str, begin: int, end: int) -> Mood:
        """Return how an act is meant, by what follows it.

        What ends, undoes or changes something must be asked for in words that are known to ask,
        and at once: an order for the case that something happens is none yet.
        """
        tail, tails = self.text[end:], lexicon().tails
        mood = next((m for tail_name, m in _MOODS if tails[tail_name].search(tail)), Mood.COMMAND)
        known = ["firm"] if name in _DANGEROUS else []
        known = ["firm", "firm_work"] if name in lexicon().works else known
        if mood is not Mood.COMMAND or not known:
            return mood
        if self._is_conditional(begin):
            return Mood.SUPPOSED
        firm = any(tails[k].search(tail) for k in known)
        return Mood.COMMAND if firm or self._is_insisted(tail) else Mood.UNSURE

    def _is_conditional(self, begin: int) -> bool:
        """Return whether the sentence makes a condition before this place, and no courtesy."""
        words = lexicon().words
        before = re.split("[.!?]", self.text[:begin])[-1]
        return words["condition"].search(words["courtesy"].sub("", before)) is not None

    @cached_property
    def is_reported(self) -> bool:
        """Whether the line repeats what others said, and orders nothing in a sentence beside."""
        orders = [act.begin for act in self.acts if act.mood is Mood.COMMAND]
        told = [m.start() for m in lexicon().tails["reported"].finditer(self.text)]
        if not told:
            return False
        ends = [m.end() for m in _SENTENCE_END.finditer(self.text)]
        # A sentence that begins with "… is what he said" is about the one before.
        if any(place in ends for place in told):
            return True
        sentences = {bisect_right(ends, place) for place in told}
        ordered = {bisect_right(ends, place) for place in orders}
        return not ordered - sentences or bool(ordered & sentences)

    def _is_insisted(self, tail: str) -> bool:
        """Return whether an order is repeated with emphasis: "I said, roll back!"."""
        insisted = lexicon().tails["insisted"].match(tail) is not None
        return insisted and self.says("urged")

    def commands(self, *names: str) -> list[Act]:
        """Return the acts of these names that are meant as commands, in order."""
        return [a for a in self.acts if a.mood is Mood.COMMAND and a.name in names]

    def says(self, word: str) -> bool:
        """Return whether one of the lexicon's words occurs in the line."""
        return lexicon().words[word].search(self.text) is not None

    def asks(self, word: str) -> bool:
        """Return whether one of the words of questions occurs in the line."""
        return lexicon().questions[word].search(self.text) is not None

    def ends(self, tail: str) -> bool:
        """Return whether one of the lexicon's tails occurs anywhere in the line."""
        return lexicon().tails[tail].search(self.text) is not None

    def is_object(self, act: Act) -> bool:
        """Return whether an act is only the object of the next one: "cancel the approval"."""
        return lexicon().tails["object"].search(self.text[act.end :]) is not None

    def first(self, sign: str) -> str | None:
        """Return the id of the first mark of a kind, or `None`."""
        return next((value[0] for value in self.values(sign)), None)


def _priority(match: re.Match[str]) -> Mark:
    if match["word"]:
        rank = _RANKS[match["word"]]
    else:
        extreme = 1 if match["top"] or match["most"] else 4 if match["least"] else 0
        rank = extreme or int(match["p"] or match["rank"] or match["digit"])
    return Mark("R", f"P{rank}", *match.span())


def _without_mention(line: str) -> str:
    found = _MENTION.match(line)
    return line[found.end() :] if found is not None else line
