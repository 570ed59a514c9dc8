"""Questions about the state of work, people, servers and the audit log."""

from __future__ import annotations

from guardia.board.command.lexicon import lexicon
from guardia.board.command.reading import LineReading, Mood
from guardia.board.command.structure import DESTRUCTIVE, Command, clarify

AUDITED = frozenset({*lexicon().works, *DESTRUCTIVE})
"""Acts whose past a question may be about."""


def read(reading: LineReading, servers: list[str]) -> Command | None:
    """Return the question that a line asks, or `None` if it asks none."""
    if not reading.asks("asks") or any(a.mood is Mood.NEGATED for a in reading.acts):
        return None
    if reading.names_issue:
        return _about_issue(reading)
    if _is_about_ways(reading):
        return None
    about, target = _topic(reading, servers)
    if about is None:
        return None
    params = {"about": about}
    if about == "tasks" and (status := _status(reading)) is not None:
        params["status"] = status
    return Command("query", None, target, dict(params))


def _is_about_ways(reading: LineReading) -> bool:
    """Return whether a line asks how or whether to do something, or to be notified later."""
    moods = {act.mood for act in reading.acts}
    return (
        (reading.asks("how") and not reading.asks("lists"))
        or reading.asks("later")
        or (Mood.QUESTION in moods and not reading.asks("counts"))
        or (Mood.SUPPOSED in moods and not reading.asks("lists"))
    )


def _about_issue(reading: LineReading) -> Command | None:
    if len(reading.numbers) > 1 or reading.sr_id is None:
        return clarify("sr")
    if reading.asks("please_handle") and not reading.asks("about_it"):
        return None
    return Command("query", reading.sr_id, None, {"about": "sr"})


def _topic(reading: LineReading, servers: list[str]) -> tuple[str | None, str | None]:
    """Return what a question is about, and which server, person, agent or institution."""
    person, agent, institution = map(reading.first, "PAI")
    place = servers[0] if len(servers) == 1 else institution
    topics = (
        (_is_about_approvals(reading), "approvals", person),
        (_is_about_the_past(reading), "audit", place),
        (_is_own(reading, person), "workload", reading.situation.user),
        (person is not None or reading.asks("people"), "workload", person),
        (reading.has("AG"), "agents", agent),
        (_is_about_servers(reading), "servers", place),
        (reading.asks("tasks"), "tasks", place),
        (reading.has("HKI") and reading.asks("health"), "servers", place),
        (reading.asks("load"), "workload", None),
        (_status(reading) is not None and reading.asks("things"), "tasks", place),
    )
    return next(((about, target) for holds, about, target in topics if holds), (None, None))


def _is_about_approvals(reading: LineReading) -> bool:
    return reading.asks("approvals") and not reading.asks("who")


def _is_about_the_past(reading: LineReading) -> bool:
    if _is_whether_done(reading):
        return True
    if not reading.asks("audit") or reading.asks("not_audit"):
        return False
    return reading.asks("past") or not reading.asks("who")


def _is_whether_done(reading: LineReading) -> bool:
    """Return whether a line asks if something was done: "was the backup taken yesterday?"."""
    done = any(act.mood is Mood.PAST and act.name in AUDITED for act in reading.acts)
    asked = done and reading.asks("whether_done")
    return asked and not (reading.asks("health") or reading.asks("lists") or reading.asks("tasks"))


def _is_own(reading: LineReading, person: str | None) -> bool:
    return (person is None and reading.has("M")) or reading.asks("my_work")


def _is_about_servers(reading: LineReading) -> bool:
    return reading.asks("servers") or (reading.has("H") and not reading.asks("tasks"))


def _status(reading: LineReading) -> str | None:
    found = lexicon().statuses.items()
    return next((name for name, words in found if words.search(reading.text)), None)
