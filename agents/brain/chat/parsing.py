"""Answers of a chat model: strict schemas for them, and parsers that trust nothing.

The schemas use what strict servers support: one flat object, every property required, closed sets
as `enum`, texts bounded by `pattern`, lists by `maxItems`. Only the pieces of a goal are objects in
a list, each flat: with one list per property a model loses count.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.protocol import RunbookChoice
from guardia.agents.brain.triage.classify import Triage, triage
from guardia.board.command.openings import Openings
from guardia.board.command.structure import Command
from guardia.errors import ModelError
from guardia.i18n import t
from guardia.org.directory import Directory, Host, InstitutionInfo

NONE = "NONE"
"""Means "none of these": strict enums have no null."""
MAX_SERVERS = 8
MAX_PIECES = 12
"""More pieces than a model plans well, and than fit into its answer."""

MAX_SENTENCES = 6
"""Sentences of a composed answer."""

Kind = Literal["INCIDENT", "REQUEST", "CHANGE", "QUESTION"]
Category = Literal[
    "DB", "WAS", "WEB", "SECURITY", "NETWORK", "STORAGE", "OS", "DEPLOY", "ACCOUNT", "BACKUP",
    "GENERAL",
]  # fmt: skip
Priority = Literal["P1", "P2", "P3", "P4"]
ActionChoice = Literal[
    "RESTART", "DEPLOY", "LOG_ANALYSIS", "HEALTH_CHECK", "DISK_CLEANUP", "KILL_QUERY",
    "CERT_CHECK", "BACKUP", "NONE",
]  # fmt: skip

# What a decoder may write: no quote, backslash or control character, which would end the text or
# break the JSON around it. Listed, because converters to grammars differ in what they exclude.
_WRITABLE = "[0-9A-Za-z가-힣 .,:;()%+/?=_~·'-]"
_REASON = rf"^{_WRITABLE}{{1,160}}$"
_MAX_REASONS = 3
_TITLE = rf"^{_WRITABLE}{{2,80}}$"
_SENTENCE = rf"^{_WRITABLE}{{2,300}}$"
_HANGUL = re.compile(r"[가-힣]")
# Reasons are shown on the issue: they may hold no markup, links or mentions.
_MARKUP = re.compile(r"[`<>\[\]{}*~|\\@#!]|\b\w+://|\bwww\.")

# Servers without constrained decoding write what they like: it is bounded, and markup removed.
ReasonText = Annotated[str, StringConstraints(pattern=r"^.{1,160}$")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _TriageAnswer(_Answer):
    reasons: Annotated[list[ReasonText], Field(max_length=_MAX_REASONS)]
    kind: Kind
    category: Category
    priority: Priority
    servers: Annotated[list[str], Field(max_length=MAX_SERVERS)]
    action_type: ActionChoice
    institution: str


class _ChoiceAnswer(_Answer):
    reason: ReasonText
    runbook: str


class _PieceAnswer(_Answer):
    title: Annotated[str, StringConstraints(pattern=r"^.{2,80}$")]
    category: Category
    action_type: ActionChoice
    server: str


class _DivisionAnswer(_Answer):
    reason: ReasonText
    sure: Literal["YES", "NO"]
    pieces: Annotated[list[_PieceAnswer], Field(max_length=MAX_PIECES)]


class _CommandAnswer(_Answer):
    action: str
    sr_id: str
    target: str
    work: str
    priority: str
    mode: Literal["manual", "auto", "NONE"]
    about: Literal["tasks", "approvals", "workload", "audit", "servers", "agents", "sr", "NONE"]


class _SentenceAnswer(_Answer):
    text: Annotated[str, StringConstraints(pattern=r"^.{2,300}$")]
    passage: str


class _ComposedAnswer(_Answer):
    sure: Literal["YES", "NO"]
    sentences: Annotated[list[_SentenceAnswer], Field(max_length=MAX_SENTENCES)]


A = TypeVar("A", bound=_Answer)

_ABOUT = ("tasks", "approvals", "workload", "audit", "servers", "agents", "sr")
_PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "reassign": (("sr_id", "target"), ()),
    "set_mode": (("sr_id", "mode"), ()),
    "reanalyze": (("sr_id",), ()),
    "abort": (("sr_id",), ()),
    "rollback": (("sr_id",), ()),
    "pause": (("sr_id",), ()),
    "resume": (("sr_id",), ()),
    "approve": (("sr_id",), ()),
    "reject": (("sr_id",), ()),
    "set_priority": (("sr_id", "priority"), ()),
    "run_action": (("target", "action_type"), ()),
    "wake": (("target",), ()),
    "escalate": (("sr_id", "target"), ()),
    "query": (("about",), ("sr_id", "target")),
}
"""What each command must have, and may have."""

TRIAGE_BASE_SCHEMA = json.dumps(_TriageAnswer.model_json_schema(), sort_keys=True)
DIVISION_BASE_SCHEMA = json.dumps(_DivisionAnswer.model_json_schema(), sort_keys=True)
COMPOSED_BASE_SCHEMA = json.dumps(_ComposedAnswer.model_json_schema(), sort_keys=True)
COMMAND_BASE_SCHEMA = json.dumps(_CommandAnswer.model_json_schema(), sort_keys=True)
CHOICE_BASE_SCHEMA = json.dumps(_ChoiceAnswer.model_json_schema(), sort_keys=True)
"""The schemas without what is offered: they change with this file only."""


def triage_schema(servers: Sequence[Host], institutions: Sequence[InstitutionInfo]) -> Any:
    """Return the schema of a triage over exactly these servers and institutions."""
    return _object_schema(
        # First, so that a model weighs the request before it chooses.
        reasons={"type": "array", "items": _reason_schema(), "maxItems": _MAX_REASONS},
        kind=_enum_schema(get_args(Kind)),
        category=_enum_schema(get_args(Category)),
        priority=_enum_schema(get_args(Priority)),
        servers={
            "type": "array",
            "items": _enum_schema([*(s.server_id for s in servers), NONE]),
            "maxItems": MAX_SERVERS,
        },
        action_type=_enum_schema(get_args(ActionChoice)),
        institution=_enum_schema([*(i.id for i in institutions), NONE]),
    )


def parse_triage(
    text: str, servers: Sequence[Host], institutions: Sequence[InstitutionInfo]
) -> Triage:
    """Parse a triage. Raises `ModelError` for anything but a choice of what was offered.

    The institution of a server comes from the directory, not from the model.
    """
    answer = _parse(text, _TriageAnswer)
    hosts = {s.server_id: s for s in servers}
    chosen = tuple(s for s in dict.fromkeys(answer.servers) if s != NONE)
    _require_offered("servers", chosen, hosts)
    _require_offered("institution", [answer.institution], {NONE, *(i.id for i in institutions)})
    named = hosts[chosen[0]].institution if chosen else answer.institution
    return Triage(
        kind=answer.kind,
        category=answer.category,
        priority=answer.priority,
        servers=chosen,
        action_type=None if answer.action_type == NONE else answer.action_type,
        institution=None if named == NONE else named,
        reasons=_korean_reasons(answer.reasons),
    )


def division_schema(servers: Sequence[Host]) -> Any:
    """Return the schema of a goal's pieces over exactly these servers."""
    piece = _object_schema(
        title={"type": "string", "pattern": _TITLE},
        category=_enum_schema(get_args(Category)),
        action_type=_enum_schema(get_args(ActionChoice)),
        server=_enum_schema([*(s.server_id for s in servers), NONE]),
    )
    return _object_schema(
        reason=_reason_schema(),
        sure=_enum_schema(["YES", "NO"]),
        pieces={"type": "array", "items": piece, "maxItems": MAX_PIECES},
    )


def composed_schema(passages: Sequence[str]) -> Any:
    """Return the schema of an answer whose sentences each cite one of these passages."""
    sentence = _object_schema(
        text={"type": "string", "pattern": _SENTENCE}, passage=_enum_schema(passages)
    )
    return _object_schema(
        sure=_enum_schema(["YES", "NO"]),
        sentences={"type": "array", "items": sentence, "maxItems": MAX_SENTENCES},
    )


def parse_composed(text: str, passages: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Parse sentences with the passage that each cites.

    Raises `ModelError` if the model is not sure or cites what was not offered. Whether the passages
    say it is for others to decide.
    """
    answer = _parse(text, _ComposedAnswer)
    if answer.sure == "NO" or not answer.sentences:
        raise ModelError(why=t("brain.unsure"), answered=True)
    _require_offered("passage", [one.passage for one in answer.sentences], passages)
    return tuple((plain_text(one.text), one.passage) for one in answer.sentences)


def parse_division(
    text: str, servers: Sequence[Host], required: Collection[str]
) -> tuple[GoalPiece, ...]:
    """Parse the pieces of a goal.

    Raises `ModelError` if the model is not sure, chose what was not offered, or omitted one of the
    `required` servers, which the goal names. Kind and priority are not the model's: the rules
    derive them from each title.
    """
    answer = _parse(text, _DivisionAnswer)
    if answer.sure == "NO" or not answer.pieces:
        raise ModelError(why=t("brain.unsure"), answered=True)
    chosen = {p.server for p in answer.pieces}
    _require_offered("server", chosen, {NONE, *(s.server_id for s in servers)})
    if missing := sorted(set(required) - chosen):
        raise ModelError(why=t("brain.left_out", servers=", ".join(missing[:5])), answered=True)
    owners = {s.server_id: s.institution for s in servers}
    reasons = _korean_reasons([answer.reason])
    pieces = dict.fromkeys(_parse_piece(piece, owners, reasons) for piece in answer.pieces)
    return tuple(
        replace(
            piece,
            sentence=number,
            guessed=bool(
                piece.read and piece.read.servers and piece.read.servers[0] not in required
            ),
        )
        for number, piece in enumerate(pieces)
    )


def _parse_piece(
    answer: _PieceAnswer, owners: dict[str, str], reasons: tuple[str, ...]
) -> GoalPiece:
    title = plain_text(answer.title)
    if not _HANGUL.search(title):
        raise ModelError(why=t("brain.not_valid", place="title"), answered=True)
    by_rules = triage(title, Directory())
    named_action = None if answer.action_type == NONE else answer.action_type
    read = Triage(
        kind=by_rules.kind,
        category=answer.category if "category" in by_rules.unsure else by_rules.category,
        priority=by_rules.priority,
        servers=() if answer.server == NONE else (answer.server,),
        action_type=by_rules.action_type or named_action,
        institution=owners.get(answer.server),
        reasons=reasons,
    )
    return GoalPiece(title, title, sentence=0, is_request=True, read=read)


def choice_schema(runbooks: Sequence[str]) -> Any:
    """Return the schema of a choice among exactly these runbooks, or none of them."""
    return _object_schema(reason=_reason_schema(), runbook=_enum_schema([*runbooks, NONE]))


def parse_choice(text: str, runbooks: Sequence[str]) -> RunbookChoice:
    """Parse a choice. Raises `ModelError` if it is neither one of `runbooks` nor none."""
    answer = _parse(text, _ChoiceAnswer)
    _require_offered("runbook", [answer.runbook], {NONE, *runbooks})
    chosen = None if answer.runbook == NONE else answer.runbook
    return RunbookChoice(chosen, " ".join(_korean_reasons([answer.reason])))


def command_schema(found: Openings) -> Any:
    """Return the schema of a command out of exactly what a line may mean."""
    return _object_schema(
        action=_enum_schema(found.actions),
        sr_id=_enum_schema([*map(str, found.issues), NONE]),
        target=_enum_schema([*found.targets, NONE]),
        work=_enum_schema([*found.works, NONE]),
        priority=_enum_schema([*get_args(Priority), NONE]),
        mode=_enum_schema(["manual", "auto", NONE]),
        about=_enum_schema([*_ABOUT, NONE]),
    )


def parse_command(text: str, found: Openings) -> Command:
    """Parse a command. Raises `ModelError` for what was not offered or lacks a part."""
    answer = _parse(text, _CommandAnswer)
    _require_offered("action", [answer.action], found.actions)
    _require_offered("sr_id", [answer.sr_id], {NONE, *map(str, found.issues)})
    _require_offered("target", [answer.target], {NONE, *found.targets})
    _require_offered("work", [answer.work], {NONE, *found.works})
    _require_offered("priority", [answer.priority], {NONE, *get_args(Priority)})
    if answer.action not in _PARTS:
        return Command(answer.action)
    given = {
        "sr_id": answer.sr_id,
        "target": answer.target,
        "action_type": answer.work,
        "priority": answer.priority,
        "mode": answer.mode,
        "about": answer.about,
    }
    needed, possible = _PARTS[answer.action]
    if missing := [name for name in needed if given[name] == NONE]:
        raise ModelError(why=t("brain.not_valid", place=missing[0]), answered=True)
    kept = {n: given[n] for n in (*needed, *possible) if given[n] != NONE}
    number, target = kept.pop("sr_id", None), kept.pop("target", None)
    return Command(answer.action, int(number) if number else None, target, dict(kept))


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _enum_schema(values: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(dict.fromkeys(values))}


def _reason_schema() -> dict[str, Any]:
    return {"type": "string", "pattern": _REASON}


def _parse(text: str, model: type[A]) -> A:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # A key invented by the model is not repeated.
        place = first["loc"][0] if first["loc"] and first["loc"][0] in model.model_fields else ""
        raise ModelError(why=t("brain.not_valid", place=place or "JSON")) from None


def _require_offered(place: str, values: Iterable[str], offered: Iterable[str]) -> None:
    if not set(values) <= set(offered):
        raise ModelError(why=t("brain.not_offered", place=place))


def _korean_reasons(sentences: Iterable[str]) -> tuple[str, ...]:
    """Return the Korean sentences as plain text, or a default if there are none."""
    plain = dict.fromkeys(s for s in map(plain_text, sentences) if _HANGUL.search(s))
    return tuple(plain) or (t("brain.no_reason"),)


def plain_text(sentence: str) -> str:
    """Return a model server's text on one line, without markup and invisible characters."""
    visible = "".join(
        " " if unicodedata.category(c)[0] in "CZ" else c
        for c in unicodedata.normalize("NFC", sentence)
    )
    return " ".join(_MARKUP.sub(" ", visible).split())
