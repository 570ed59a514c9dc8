"""A command as a Korean sentence, so that a person sees what was understood before it runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from guardia.board.command.names import Names
from guardia.board.command.structure import Command
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.labels import format_time, label
from guardia.i18n import t


def target_name(names: Names, target: str | None) -> str:
    """Return how people call a person, role, agent, institution or server."""
    if target is None:
        return ""
    person = names.people.get(target)
    if person is not None:
        return f"{person.name} {person.title}".strip()
    return names.titles.get(target) or label("org.role", target)


def sentence(names: Names, command: Command) -> str:
    """Return what a command does, in one sentence."""
    words: dict[str, Any] = {
        "sr": issue_ref(command.sr_id) if command.sr_id is not None else "",
        "target": target_name(names, command.target),
        **command.params,
    }
    key = f"commands.sentence.{_variant(command)}"
    if "at" in command.params:
        words["at"] = format_time(datetime.fromisoformat(command.params["at"]), "short")
    if "action_type" in command.params:
        words["work"] = label("commands.work_name", command.params["action_type"])
    if "about" in command.params:
        words["about"] = label("commands.about", command.params["about"])
    if "mode" in command.params:
        words["mode"] = label("commands.mode", command.params["mode"])
    text = t(key, **words)
    return text if command.action != "query" else text.strip()


def _variant(command: Command) -> str:
    """Return the name of the sentence: some commands have several, by what they name."""
    match command.action:
        case "reanalyze" if command.sr_id is None:
            return "reanalyze_recent"
        case "run_action" if "at" in command.params:
            return "run_action_at"
        case "query" if command.target:
            return "query_of"
        case "query" if command.sr_id is not None:
            return "query_sr"
        case name:
            return name
