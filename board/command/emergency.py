"""Stopping everything, and lifting the stop: the only commands that need no object."""

from __future__ import annotations

import re
from functools import cache

from guardia.board.command.lexicon import lexicon
from guardia.board.command.reading import Act, LineReading
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
    words = lexicon().words
    pressed = words["kill_switch"].match(text) and not reading.says("no_kill_switch")
    stops = [act for act in reading.commands("abort", "pause") if _is_stop(reading, act)]
    everything = stops and reading.says("all") and not reading.says("for_a_while")
    return Command("kill_all") if pressed or everything else None


@cache
def _bare_stop() -> re.Pattern[str]:
    words = {name: pattern.pattern for name, pattern in lexicon().words.items()}
    before = rf"(?:긴급|비상|즉시|당장|지금|빨리|일단|{words['all']}|[!.,])*"
    return re.compile(rf"{before}(?:정지|스톱|스탑|stop)(?:정지|{words['stop_tail']})?")


def _is_stop(reading: LineReading, act: Act) -> bool:
    return lexicon().words["stop"].search(reading.text, act.begin, act.end) is not None
