"""Read a Korean command into its structure; what is not clearly a command does nothing.

The grammar decides alone and is deterministic. An act counts only where it is meant as a command:
not negated, quoted, asked, past, or a part of a name. A destructive act needs its object too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from guardia.board.command import emergency, query
from guardia.board.command.lexicon import lexicon
from guardia.board.command.mail import own_words
from guardia.board.command.names import Names
from guardia.board.command.reading import Act, LineReading, Mood
from guardia.board.command.recipients import recipient, servers, superior
from guardia.board.command.structure import DESTRUCTIVE, NONE, Command, Situation, clarify
from guardia.text import hide_lookalikes

Reader = Callable[[LineReading], Command | None]


def parse(line: str, situation: Situation, names: Names) -> Command:
    """Return the command that a line means."""
    return command_of(reading_of(line, situation, names))


def reading_of(line: str, situation: Situation, names: Names) -> LineReading:
    """Return what a line says, without what it quotes and what only looks like a name."""
    return LineReading(hide_lookalikes(own_words(line)), situation, names)


def command_of(reading: LineReading) -> Command:
    """Return the command that a line means, from what it says."""
    if not reading.text or reading.ends("unreal"):
        return NONE
    if (found := emergency.read(reading)) is not None:
        return found
    taken_back = reading.is_reported or reading.ends("revoked")
    if taken_back and not reading.commands("comment"):
        return NONE
    found = next((c for read in _READERS if (c := read(reading)) is not None), None)
    if found is not None and found.action in DESTRUCTIVE and _is_of_others(reading):
        return NONE
    return found or query.read(reading, servers(reading)) or _unclear(reading)


def _is_of_others(reading: LineReading) -> bool:
    """Return whether a line only repeats what others said, or asks or forbids in English."""
    return reading.ends("spoken_by_others") or reading.ends("foreign_negation")


def _on_issue(reading: LineReading, build: Callable[[int], Command]) -> Command:
    """Build a command on the issue of the line, or ask which one it is."""
    if len(reading.numbers) > 1:
        return clarify("sr")
    if reading.sr_id is None:
        return clarify("sr", reading.situation.sr_id)
    return build(reading.sr_id)


def _comment(reading: LineReading) -> Command | None:
    acts = reading.commands("comment")
    if not acts:
        return None
    body = _comment_body(reading, acts[0])
    if body is not None:
        return _on_issue(reading, lambda sr: Command("comment", sr, None, {"body": body}))
    if not reading.names_issue or reading.says("only_look"):
        return None
    return _on_issue(reading, lambda sr: clarify("action", sr))


def _comment_body(reading: LineReading, act: Act) -> str | None:
    """Return the quoted text, what follows a colon, or what is to be quoted."""
    if quotes := reading.values("Q"):
        return str(quotes[0])
    mark = re.compile("[:\\-–—]").search(reading.text, act.end)
    if mark is not None:
        return reading.compact.original_from(mark.end()) or None
    saying = lexicon().words["saying"].search(reading.text)
    if saying is None:
        return None
    ending = "다" if saying["end"] == "다고" else ""
    return (reading.compact.original_of(saying, "body") + ending) or None


def _set_priority(reading: LineReading) -> Command | None:
    ranks = reading.values("R")
    if not reading.says("change") or not (reading.names_issue or _names_priority(reading)):
        return None
    if not ranks:
        unmeant = (Mood.NEGATED, Mood.QUESTION)
        named = any(a.name == "set_priority" and a.mood not in unmeant for a in reading.acts)
        asks = named and not reading.says("asked")
        return _on_issue(reading, lambda sr: clarify("action", sr)) if asks else None
    last = reading.text.rfind("R")
    refused = any(
        a.name == "set_priority" and a.mood is Mood.NEGATED and not a.is_mark_before(last)
        for a in reading.acts
    )
    if refused or reading.says("asked"):
        return None
    return _on_issue(reading, lambda sr: Command("set_priority", sr, None, {"priority": ranks[-1]}))


def _names_priority(reading: LineReading) -> bool:
    """Return whether a line without an issue asks for a priority: which issue is asked back."""
    named = any(a.name == "set_priority" and a.end - a.begin > 1 for a in reading.acts)
    return named and reading.has("R") and reading.says("do") and not reading.asks("how")


def _set_mode(reading: LineReading) -> Command | None:
    named = reading.has("PUM") and reading.commands("reassign")
    manual = [] if named else reading.commands("set_manual")
    auto = [] if reading.has("A") else reading.commands("set_auto")
    # "Stop the automatic handling" holds the word for automatic, too.
    auto = [a for a in auto if not any(m.begin <= a.begin < m.end for m in manual)]
    if not (manual or auto) or not reading.says("switch"):
        return None
    if reading.commands("wake") and not reading.names_issue:
        return None
    last = max(manual + auto, key=lambda act: act.begin)
    mode = {"mode": last.name.removeprefix("set_")}
    return _on_issue(reading, lambda sr: Command("set_mode", sr, None, mode))


def _reassign(reading: LineReading) -> Command | None:
    if not reading.commands("reassign"):
        return None
    target = recipient(reading)
    if isinstance(target, Command):
        return _on_issue(reading, lambda sr: clarify(target.params["about"], sr))
    if target is not None:
        return _on_issue(reading, lambda sr: Command("reassign", sr, target))
    if reading.names_issue or reading.says("names_assignee"):
        return _on_issue(reading, lambda sr: clarify("person", sr))
    return None


def _escalate(reading: LineReading) -> Command | None:
    acts = reading.commands("escalate")
    word = lexicon().words["escalation"]
    named = any(word.search(reading.text, a.begin, a.end) for a in acts)
    target = superior(reading)
    if not acts or not (named or (target is not None and reading.names_issue)):
        return None
    if target is None or isinstance(target, Command):
        return _on_issue(reading, lambda sr: clarify("person", sr))
    return _on_issue(reading, lambda sr: Command("escalate", sr, target))


def _decide(reading: LineReading) -> Command | None:
    acts = reading.commands("approve", "reject")
    if not acts:
        return None
    name = acts[-1].name
    asks = name == "approve" and reading.says("asks_for_approval")
    if not reading.names_issue and (asks or reading.says("decisions_that_wait")):
        return None
    if asks:  # an approval of others is asked for, not given
        return _on_issue(reading, lambda sr: clarify("action", sr))
    reason = _reason(reading) if name == "reject" else None
    params = {"reason": reason} if reason else {}
    return _on_issue(reading, lambda sr: Command(name, sr, None, params))


def _reason(reading: LineReading) -> str | None:
    stated = lexicon().words["reason"].search(reading.text)
    if stated is not None:
        body = reading.compact.original_from(stated.start("body"))
        body = body if "(" in body else body.rstrip(") ")  # of "반려 (사유: ...)"
        return re.sub(r"(?:입니다|이에요|예요|임)?[.!\s]*$", "", body).strip(" '\"“”") or None
    after = lexicon().words["reason_after"].search(reading.text)
    if after is not None:
        return reading.compact.original_of(after, "body").strip(" '\"“”") or None
    because = lexicon().words["because"].search(reading.text)
    return reading.compact.original_of(because, "body").strip(" ,") or None if because else None


def _resume(reading: LineReading) -> Command | None:
    released = reading.commands("release") if reading.names_issue else []
    if not released and not reading.commands("resume"):
        return None
    # "Do not stop, go on": nothing was suspended.
    plain = not released and not reading.says("really_resume")
    if plain and (not reading.names_issue or any(a.mood is Mood.NEGATED for a in reading.acts)):
        return None
    return _on_issue(reading, lambda sr: Command("resume", sr))


def _pause(reading: LineReading) -> Command | None:
    if not reading.commands("pause"):
        return None
    if _is_decision_put_off(reading):
        return _on_issue(reading, lambda sr: clarify("action", sr))
    return _on_issue(reading, lambda sr: Command("pause", sr))


def _run(reading: LineReading) -> Command | None:
    acts = reading.commands(*lexicon().works)
    if not acts or (reading.says("show") and not reading.says("do")):
        return None
    if reading.names_issue and not reading.has("HK"):
        return None
    found = servers(reading)
    if len(found) != 1:
        return clarify("server")
    moments = reading.values("T")
    at = {"at": moments[0].isoformat()} if moments else {}
    return Command("run_action", None, found[0], {"action_type": acts[-1].name, **at})


def _stop_or_undo(reading: LineReading) -> Command | None:
    stops, undos = reading.commands("abort"), reading.commands("rollback")
    if not stops and (not undos or reading.has("R")):
        return None
    if reading.has("HKI") and not reading.names_issue:
        return clarify("sr")
    if _is_decision_put_off(reading):
        return _on_issue(reading, lambda sr: clarify("action", sr))
    return _on_issue(reading, lambda sr: Command("abort" if stops else "rollback", sr))


def _is_decision_put_off(reading: LineReading) -> bool:
    """Return whether a decision is cancelled or held back, which stops no work."""
    decisions = (a for a in reading.acts if a.name in ("approve", "reject", "pause"))
    return any(reading.is_object(act) for act in decisions)


def _reanalyze(reading: LineReading) -> Command | None:
    if not reading.commands("reanalyze"):
        return None
    spans, found = reading.values("W"), servers(reading)
    params: dict[str, Any] = {"since_minutes": spans[-1]} if spans else {}
    target = found[0] if len(found) == 1 else None
    if reading.names_issue:
        return _on_issue(reading, lambda sr: Command("reanalyze", sr, target, params))
    if target is not None:
        return Command("reanalyze", None, target, params)
    return clarify("server") if reading.has("HKI") else clarify("sr", reading.situation.sr_id)


def _wake(reading: LineReading) -> Command | None:
    if not reading.commands("wake") or not (reading.has("AG") or reading.says("really_wake")):
        return None
    agents = {value[0] for value in reading.values("A")}
    if (chosen := reading.situation.answered("agent")) is not None:
        agents = {chosen}
    return Command("wake", None, agents.pop()) if len(agents) == 1 else clarify("agent")


def _unclear(reading: LineReading) -> Command:
    """Ask what to do with an issue for which something is asked."""
    unmeant = (Mood.NEGATED, Mood.QUESTION, Mood.SUPPOSED)
    meant = not any(act.mood in unmeant for act in reading.acts)
    if meant and reading.names_issue and reading.says("request"):
        return _on_issue(reading, lambda sr: clarify("action", sr))
    return NONE


_READERS: tuple[Reader, ...] = (
    _comment,
    _set_priority,
    _set_mode,
    _reassign,
    _escalate,
    _decide,
    _resume,
    _pause,
    _run,
    _stop_or_undo,
    _reanalyze,
    _wake,
)
"""In this order: what is named more precisely comes first."""
