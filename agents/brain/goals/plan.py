"""Resolve a goal's pieces to work: what each is, on which servers, until when. Pure.

Nothing is guessed: the source of a server is stated, and if there is none, a question takes its
place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from guardia.agents.brain.goals.breakdown import GoalPiece
from guardia.agents.brain.goals.deadline import deadlines
from guardia.agents.brain.triage.classify import Triage
from guardia.agents.brain.triage.fanout import any_of_pattern, fan_out
from guardia.agents.brain.triage.names import index_of
from guardia.board.hiring.requests import Opening
from guardia.i18n import t
from guardia.org.directory import Directory, Host

MAX_SERVERS = 50
"""A piece that means more servers is several pieces."""
GENERAL = "GENERAL"
_ON_ANY_SERVER = frozenset({"OS", "STORAGE", "DEPLOY", "BACKUP", "SECURITY", GENERAL})
"""Fields of work that servers of every kind have."""
_EQUIPMENT = re.compile(
    r"(?:네트워크|통신|보안|전산|무선|백본|L[2347])\s*(?:장비|기기|스위치|장치)|스위치|라우터|공유기|허브|"
    r"방화벽|액세스\s*포인트|무선\s*AP|프린터|복합기|스캐너|모니터(?!링)|노트북|데스크톱|(?<![A-Za-z])PC(?![A-Za-z])|"
    r"UPS|무정전|항온항습|CCTV|전화기|단말기|로드\s*밸런서|스토리지\s*장비|펌웨어",
    re.IGNORECASE,
)
_QUOTED_CHARACTERS = 200
"""Maximum characters of a request quoted in the reason of a hire."""


@dataclass(frozen=True, slots=True)
class ResolvedPiece:
    """One piece of work, or one question."""

    piece: int
    text: str
    triage: Triage
    servers: tuple[str, ...] = ()
    due: date | None = None
    reasons: tuple[str, ...] = ()
    question: str = ""
    guessed: bool = False
    """Whether the text does not name its servers."""


@dataclass(slots=True)
class _Surroundings:
    """Context from the text around a piece."""

    institution: str | None = None
    due: date | None = None
    sentence: int = -1
    servers: tuple[str, ...] = ()
    """Servers of the previous piece in the same sentence."""
    near: str | None = None
    """Institution of the previous piece in the same sentence."""


@dataclass(frozen=True, slots=True)
class _KnownServers:
    """The servers and server names that pieces can mean."""

    directory: Directory
    kind_words: Mapping[str, tuple[str, ...]]
    hosts: dict[str, Host] = field(default_factory=dict)

    def kinds_in(self, text: str) -> set[str]:
        return {
            kind
            for kind, words in self.kind_words.items()
            if re.search(any_of_pattern(words), text, re.IGNORECASE)
        }

    def without_removed_servers(self, read: Triage) -> Triage:
        """Return a model's triage without servers that have been removed since."""
        existing = tuple(s for s in read.servers if s in self.hosts)
        return read.model_copy(update={"servers": existing})


def resolve_pieces(
    pieces: Sequence[GoalPiece],
    directory: Directory,
    kind_words: Mapping[str, tuple[str, ...]],
    today: date | None,
    classify: Callable[[str], Triage],
    due: date | None = None,
) -> list[ResolvedPiece]:
    """Resolve the work in `pieces`. Circumstances and headings only provide context.

    `kind_words` are the words for each kind of server; `classify` is the brain's triage for pieces
    that no model has read. Without `today` no deadlines are searched; `due` applies to all pieces
    without one of their own.
    """
    known = _KnownServers(directory, kind_words, index_of(directory).hosts)
    context = _Surroundings(due=due)
    found = []
    for number, piece in enumerate(pieces):
        read = known.without_removed_servers(piece.read) if piece.read else classify(piece.request)
        named = deadlines(piece.text, today) if today else ()
        due = named[0].on if named else None
        if not (piece.is_request or read.kind == "INCIDENT" or read.action_type):
            context.institution = read.institution or context.institution
            context.due = due or context.due
            continue
        if piece.sentence != context.sentence:
            context = replace(context, sentence=piece.sentence, servers=(), near=None)
        work = _resolve(ResolvedPiece(number, piece.request, read), piece, context, known)
        due = due or context.due
        reasons = [
            *work.reasons,
            *([t("goals.because.added")] if piece.added else []),
            *([t("goals.because.due", due=due.isoformat())] if due else []),
        ]
        found.append(replace(work, due=due, reasons=tuple(reasons)))
        context.servers = work.servers or context.servers
        owner = known.hosts[work.servers[0]].institution if work.servers else None
        context.near = owner or read.institution or context.near
    return found


def _resolve(
    work: ResolvedPiece, piece: GoalPiece, context: _Surroundings, known: _KnownServers
) -> ResolvedPiece:
    """Return the work with its servers, or with a question."""
    read = work.triage
    if piece.read:
        # The words are a model's: only its choice is known to be within the goal's scope.
        return _with_choice(work, piece, read)
    around = read.institution or context.near or context.institution
    fan = fan_out(piece.request, known.directory, known.kind_words, around)
    if fan is not None:
        return _with_all_servers(work, [h.server_id for h in fan.hosts], fan.words)
    if read.servers:
        return _with_servers(work, read.servers)
    return _without_name(work, piece, context, known, around)


def _without_name(
    work: ResolvedPiece,
    piece: GoalPiece,
    context: _Surroundings,
    known: _KnownServers,
    around: str | None,
) -> ResolvedPiece:
    """Return the work of a piece that names no server."""
    read = work.triage
    kinds = known.kinds_in(piece.request)
    inherited = {known.hosts[s].kind for s in context.servers}
    if inherited and _fits_kinds(piece.request, read, kinds, inherited):
        names = ", ".join(context.servers)
        return _with_servers(work, context.servers, t("goals.because.same_sentence", servers=names))
    if not kinds and _names_equipment(piece.request):
        return _with_question(work, read)
    return _with_only_server(work, around, kinds or {read.category}, known)


def _fits_kinds(text: str, read: Triage, kinds: set[str], inherited: set[str]) -> bool:
    """Return whether work that names no server may be on those named before it."""
    if kinds:
        return not kinds.isdisjoint(inherited)
    if _names_equipment(text):
        return False
    return read.category in inherited or read.category in _ON_ANY_SERVER


def _names_equipment(text: str) -> bool:
    """Return whether the text names devices, which no server of the directory is."""
    return _EQUIPMENT.search(text) is not None


def _with_choice(work: ResolvedPiece, piece: GoalPiece, read: Triage) -> ResolvedPiece:
    if not read.servers:
        return _with_question(work, read)
    why = [t("goals.because.guessed")] if piece.guessed else []
    return replace(_with_servers(work, read.servers, *why), guessed=piece.guessed)


def _with_all_servers(work: ResolvedPiece, servers: Sequence[str], words: str) -> ResolvedPiece:
    if not servers:
        return replace(work, question=t("goals.ask.none_such", words=words))
    if len(servers) > MAX_SERVERS:
        question = t("goals.ask.many", count=len(servers), limit=MAX_SERVERS)
        return replace(work, question=question)
    reason = t("goals.because.all", words=words, count=len(servers), servers=", ".join(servers))
    return _with_servers(work, tuple(servers), reason)


def _with_only_server(
    work: ResolvedPiece, institution: str | None, kinds: set[str], known: _KnownServers
) -> ResolvedPiece:
    """Use an institution's only server of a kind, which needs no name."""
    fitting = [
        h.server_id
        for h in index_of(known.directory).by_institution.get(institution or "", ())
        if h.kind in kinds
    ]
    if len(fitting) == 1:
        reason = t("goals.because.only", institution=institution, server=fitting[0])
        return _with_servers(work, tuple(fitting), reason)
    if fitting:
        return replace(work, question=t("goals.ask.which", servers=", ".join(fitting)))
    return _with_question(work, work.triage)


def _with_question(work: ResolvedPiece, read: Triage) -> ResolvedPiece:
    vague = read.category == GENERAL and not read.action_type
    return replace(work, question=t("goals.ask.what" if vague else "goals.ask.server"))


def _with_servers(work: ResolvedPiece, servers: tuple[str, ...], *reasons: str) -> ResolvedPiece:
    read = work.triage
    if read.kind == "QUESTION" and not read.action_type:
        return replace(work, question=t("goals.ask.question"))
    if read.category == GENERAL and not read.action_type and read.kind != "INCIDENT":
        return replace(work, question=t("goals.ask.what"))
    # If a server was found by other means, "none is named" is no longer a reason.
    kept = (r for r in read.reasons if r != t("triage.named.nobody"))
    return replace(work, servers=servers, reasons=(*kept, *reasons))


def draft_opening(skill: str, work: str, head: str) -> Opening:
    """Draft the hire of a specialist for one skill."""
    name = t(f"triage.category.{skill}")
    return Opening(
        agent_id=f"{skill.lower()}-agent",
        title=t("goals.role_title", skill=name),
        skills=(skill,),
        reports_to=head,
        reason=t("goals.hire_reason", skill=name, text=" ".join(work.split())[:_QUOTED_CHARACTERS]),
    )
