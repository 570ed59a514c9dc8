"""Merge a model's answer with what the rules know. Pure.

A model fills what the rules are unsure of and overrules nothing that they are sure of. Where it
differs, people see both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import get_args

from guardia.agents.brain.goals import plan
from guardia.agents.brain.goals.breakdown import MAX_PIECES, GoalPiece, divide
from guardia.agents.brain.goals.plan import ResolvedPiece
from guardia.agents.brain.triage.classify import Triage, relevant_text, triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.names import index_of
from guardia.board.core.labels import label
from guardia.i18n import t
from guardia.org.brains import TriageField
from guardia.org.directory import Directory
from guardia.text import matching_form

_JUDGED = ("kind", "category", "priority")
_ALIKE = 0.85
"""Similarity from which two sentences say the same."""
_MIN_PARROTED = 6
"""Characters from which a sentence that the request contains is a repetition of it."""


def merge_triage(
    rules: Triage,
    model: Triage,
    text: str,
    directory: Directory,
    decides: Collection[str] = get_args(TriageField),
) -> Triage:
    """Return the rules' triage, with the model's values where the rules found no evidence.

    Only fields in `decides` are filled. Servers are those that the text names; an institution is
    added only if the text names it.
    """
    unsure = [name for name in _JUDGED if name in rules.unsure and name in decides]
    filled = {name: getattr(model, name) for name in unsure}
    if "kind" in rules.unsure and rules.action_type is None and "action_type" in decides:
        filled["action_type"] = model.action_type
    named = index_of(directory).institutions_in(relevant_text(text))
    if rules.institution is None and model.institution in named and "institution" in decides:
        filled["institution"] = model.institution
    merged = rules.model_copy(update=filled)
    reasons = (
        *rules.reasons,
        *distinct_reasons(model.reasons, text, rules.reasons),
        *_differences(merged, model),
    )
    return merged.model_copy(update={"reasons": reasons})


def _differences(merged: Triage, model: Triage) -> Iterator[str]:
    """Yield one sentence that names where the model differs, if it does."""
    parts = [
        t("brain.differs", field=t(f"brain.field.{name}"), kept=kept, given=given)
        for name, kept, given in _compared(merged, model)
        if kept != given
    ]
    if parts:
        yield t("brain.disagrees", parts=", ".join(parts))


def _compared(merged: Triage, model: Triage) -> Iterator[tuple[str, str, str]]:
    nothing = t("brain.nothing")
    for name in ("kind", "category", "action_type"):
        table = "triage.action" if name == "action_type" else f"triage.{name}"
        kept, given = getattr(merged, name), getattr(model, name)
        yield (
            name,
            label(table, kept) if kept else nothing,
            label(table, given) if given else nothing,
        )
    yield "priority", merged.priority, model.priority
    yield "servers", ", ".join(merged.servers) or nothing, ", ".join(model.servers) or nothing


def distinct_reasons(given: Sequence[str], text: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sentences that add something: no repetitions of the request or of each other."""
    kept: list[str] = []
    request = _plain(text)
    for sentence in given:
        plain = _plain(sentence)
        parroted = len(plain) >= _MIN_PARROTED and (plain in request or _is_alike(plain, request))
        if not parroted and not any(_is_alike(plain, _plain(k)) for k in (*known, *kept)):
            kept.append(sentence)
    return tuple(kept)


def _plain(text: str) -> str:
    return "".join(c for c in matching_form(text) if c.isalnum())


def _is_alike(one: str, other: str) -> bool:
    # Texts of very different length are not compared: that takes long, and they are not alike.
    if max(len(one), len(other)) > 2 * min(len(one), len(other)) + 10:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def complete_division(
    pieces: tuple[GoalPiece, ...], text: str, directory: Directory
) -> tuple[GoalPiece, ...]:
    """Return a model's pieces, and as marked pieces the work that only the rules find."""
    own = divide(text)
    work = plan.resolve_pieces(
        own, directory, lexicon().servers, None, lambda piece: triage(piece, directory)
    )
    missing = [
        _added(own[found.piece], found, absent)
        for found in work
        if _is_concrete(found.triage) and (absent := _uncovered(found, pieces))
    ]
    found = (*pieces, *missing)
    numbered = (replace(piece, sentence=number) for number, piece in enumerate(found))
    return tuple(numbered)[:MAX_PIECES]


def _is_concrete(read: Triage) -> bool:
    """Return whether the rules know what the work is: "안정화" is for a model to divide."""
    return read.action_type is not None or read.category != plan.GENERAL


def _uncovered(found: ResolvedPiece, pieces: Sequence[GoalPiece]) -> list[str | None]:
    """Return the servers, or `None` for work without one, whose work no piece covers."""
    alike = [p.read for p in pieces if p.read and _is_same_work(found.triage, p.read)]
    servers: tuple[str | None, ...] = found.servers or (None,)
    covered = {server for read in alike for server in read.servers}
    return [s for s in servers if (s not in covered if s is not None else not alike)]


def _is_same_work(rules: Triage, read: Triage) -> bool:
    if rules.action_type is not None:
        return read.action_type == rules.action_type
    return read.category == rules.category


def _added(piece: GoalPiece, found: ResolvedPiece, servers: list[str | None]) -> GoalPiece:
    named = tuple(s for s in servers if s is not None)
    read = found.triage.model_copy(update={"servers": named}) if named else None
    return replace(piece, is_request=True, read=read, added=True)
