"""Stopping everything, and lifting the stop: the only commands that need no object."""

from __future__ import annotations

import re
from functools import cache

from guardia.board.command.lexicon import lexicon
from guardia.board.command.reading import LineReading
from guardia.board.command.structure import Command


def read(reading: LineReading) -> Command | None:
    """Return the emergency command that a line means, or `None`.

    A line that names an issue, a server, an institution or a person never stops everything.
    """
    if reading.situation.answers:
        return None
    text = reading.text.lstrip("!.,~")
    if _bare_stop().fullmatch(text):
        return Command("kill_all")
    if reading.has("NDQHKIAPU"):
        return None
    if reading.commands("release"):
        return Command("release_all")
    return Command("kill_all") if _stops_everything(reading) else None


@cache
def _bare_stop() -> re.Pattern[str]:
    words = {name: pattern.pattern for name, pattern in lexicon().words.items()}
    before = rf"(?:긴급|비상|즉시|당장|지금|빨리|일단|{words['all']}|[!.,])*"
    return re.compile(rf"{before}(?:정지|스톱|스탑|stop)(?:정지|{words['stop_tail']})?")


def _stops_everything(reading: LineReading) -> bool:
    """Return whether the line, or its last sentence, is nothing but the order to stop everything.

    Everybody speaks of stops: of yesterday's, of a service that hangs. So every word of
    the order must be known; words before it count only if they end a sentence or give a cause,
    words behind it only if they tell of a calamity.
    """
    words = lexicon().words
    text = words["cause"].sub("", reading.text)
    if words["for_a_while"].search(text) or words["told_of_stop"].search(text):
        return False
    if words["kill_switch"].fullmatch(text):
        return True
    found = words["stop_everything"].search(text)
    return found is not None and words["all"].search(found["order"]) is not None
