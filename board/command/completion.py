"""Complete the last word of a command: names, issue numbers, acts; a page at a time by key."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import String, cast, select

from guardia.board.cmdb import view as cmdb
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.issues.visibility import visible_to
from guardia.db.engine import Database
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import Directory, PersonInfo
from guardia.text import matching_form

_MAX = 8
_LAST_WORD = re.compile(r"\S+$")
_ISSUE = re.compile(r"(?:sr-?|#)(\d{0,9})", re.IGNORECASE)
ACTS = (
    "담당을 변경해", "수동으로 전환해", "자동으로 전환해", "다시 분석해", "중단해", "롤백해",
    "일시정지", "재개해", "승인", "반려", "우선순위 P1으로 변경해", "재시작해줘", "배포해줘",
    "로그 분석해줘", "상태 점검해줘", "디스크 정리해줘", "백업해줘", "인증서 점검해줘", "깨워줘",
    "에스컬레이션해", "코멘트 남겨줘:", "어떻게 됐어?", "진행 중인 작업 보여줘", "전체 정지",
    "전체 정지 해제",
)  # fmt: skip
"""What a command may end with."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One way to complete a line."""

    line: str
    """The whole line with it."""
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    word: str
    label: str
    kind: str
    institution: str | None


@dataclass(frozen=True, slots=True)
class Suggestions:
    """A page of suggestions."""

    rows: tuple[Suggestion, ...]
    after: str = ""
    """Key for the next page; empty on the last one."""


_known: WeakKeyDictionary[Database, tuple[Directory, list[_Entry], list[str]]] = WeakKeyDictionary()
_lock = Lock()


def complete(board: BoardContext, person: PersonInfo, line: str, after: str = "") -> Suggestions:
    """Return what the last word of a line may become; customers see their own institution's."""
    require_permission(person, "command.give")
    found = _LAST_WORD.search(line)
    word = found[0] if found else ""
    head = line[: len(line) - len(word)]
    number = _ISSUE.fullmatch(word)
    if number is not None:
        return Suggestions(_issues(board, person, head, number[1]))
    if not word:
        return Suggestions(())
    prefix = matching_form(word)
    names, next_key = _names(board, person, prefix, after)
    acts = [] if after else [a for a in ACTS if matching_form(a).startswith(prefix)]
    rows = [
        *(Suggestion(head + e.word + " ", e.label, e.kind) for e in names),
        *(Suggestion(head + a, a, "act") for a in acts),
    ]
    return Suggestions(tuple(rows[: 2 * _MAX]), next_key)


def _names(
    board: BoardContext, person: PersonInfo, prefix: str, after: str
) -> tuple[list[_Entry], str]:
    entries, keys = _index(board)
    begin = bisect_right(keys, after) if after else bisect_left(keys, prefix)
    found: list[_Entry] = []
    for entry in entries[begin:]:
        if not entry.key.startswith(prefix):
            break
        if person.role == "customer" and entry.institution != person.institution:
            continue
        if len(found) == _MAX:
            return found, found[-1].key
        found.append(entry)
    return found, ""


def _index(board: BoardContext) -> tuple[list[_Entry], list[str]]:
    directory = cmdb.names(board)
    with _lock:
        known = _known.get(board.database)
    if known is not None and known[0] is directory:
        return known[1], known[2]
    entries = sorted(_entries(directory), key=lambda e: (e.key, e.kind, e.word))
    keys = [e.key for e in entries]
    with _lock:
        _known[board.database] = directory, entries, keys
    return entries, keys


def _entries(directory: Directory) -> list[_Entry]:
    """Return every name with its word in a command, by each beginning."""
    found: list[_Entry] = []

    def add(kind: str, word: str, label: str, institution: str | None, *begins: str) -> None:
        keys = dict.fromkeys(matching_form(b) for b in (word, *begins) if b)
        found.extend(_Entry(key, word, label, kind, institution) for key in keys)

    for p in directory.people:
        # People of other institutions are not a customer's business.
        add(
            "person",
            f"{p.name} {p.title}".strip(),
            f"{p.name} {p.title} ({p.id})",
            p.institution,
            p.id,
        )
    for a in directory.agents:
        add("agent", a.id, f"{a.title} ({a.id})", None, a.title, *a.aliases)
    for h in directory.servers:
        add("server", h.server_id, h.server_id, h.institution, *h.aliases)
    for i in directory.institutions:
        add("institution", i.name, f"{i.name} ({i.id})", i.id, i.id, *i.aliases)
    return found


def _issues(
    board: BoardContext, person: PersonInfo, head: str, digits: str
) -> tuple[Suggestion, ...]:
    query = select(Issue.sr_id, Issue.title).where(visible_to(person))
    if digits:
        query = query.where(cast(Issue.sr_id, String).startswith(digits, autoescape=True))
    with board.database.reading() as session:
        rows = session.execute(query.order_by(Issue.sr_id.desc()).limit(_MAX)).all()
    return tuple(
        Suggestion(f"{head}{issue_ref(sr)} ", f"{issue_ref(sr)} {title[:40]}", "sr")
        for sr, title in rows
    )


def kind_label(kind: str) -> str:
    """Return the name of a kind of suggestion."""
    return t(f"commands.kind.{kind}")
