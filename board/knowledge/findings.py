"""Why a published version needs an update: failed verification, nothing found, wrong, outdated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, cast, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.knowledge import change_proposals
from guardia.board.knowledge.model import Document, DocumentFinding, DocumentVersion, PassageRating
from guardia.board.organization.note_model import Note
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t_default
from guardia.org.model import Server
from guardia.text import trim

_OUTCOMES = {"failed": "verification", "not_undone": "verification", "unfit": "found_nothing"}
_MOST_DETAIL = 300
_AT_ONCE = 200
_SINCE = timedelta(hours=26)
"""What is new is looked at again each time, so that a day without a worker leaves nothing out."""
_OS_NAMES = {"rhel": r"rhel|red\s*hat", "ol": r"oracle\s*linux", "sles": r"sles|suse"}
_SOFTWARE = {
    "postgresql": r"postgresql|postgres|포스트그레스(?:큐엘)?",
    "java": r"java|jdk|openjdk|jre|자바",
    "apache": r"apache(?:\s*httpd)?|httpd|아파치",
    "python": r"python|파이썬",
    "node": r"node(?:\.js)?",
}
"""Other names of software in documents; of everything else its own name."""
_VERSION = r"(?:[\s:(-]|linux|리눅스|enterprise|server|release|version|버전|v)*(\d+(?:\.\d+){0,3})"
_UNITS = "대|개|번|명|건|호|일|월|년|시|분|초|%|포트|port|MB|GB|라이선스|license"
_NOT_COUNTED = rf"(?![\d.]*\s*(?:{_UNITS}))"
_MOST_ALONE = 50
"""A number without a point that is larger is a port or a size, not a version."""


@dataclass(frozen=True, slots=True)
class NewFinding:
    """A reason why a version needs an update."""

    reason: str
    key: str
    detail: str
    sr_id: int | None = None


def settle_wrong(
    session: Session, version: DocumentVersion, rating: PassageRating, now: datetime
) -> None:
    """Note that a person calls a passage wrong, or that this person does not any more."""
    key = f"wrong:{rating.passage_id}:{rating.person_id}"
    old = DocumentFinding.version_id == version.version_id, DocumentFinding.key == key
    session.execute(delete(DocumentFinding).where(*old))
    if rating.verdict == "wrong":
        found = NewFinding("wrong", key, rating.reason)
        _add(session, version.document_id, version.version_id, found, now)


@repeat_on_conflict
def look(board: BoardContext) -> None:
    """Look for published versions that need an update; called every hour."""
    now = board.current_time()
    with board.database.transaction() as session:
        _look_at_runbooks(session, now)
        _look_at_servers(session, now)


def _look_at_runbooks(session: Session, now: datetime) -> None:
    """Note the runbooks that failed on a server, or whose rules did not fit."""
    query = (
        select(Document.document_id, Document.published_id, Note)
        .join(Note, Note.runbook == Document.runbook_id)
        .join(DocumentVersion, DocumentVersion.version_id == Document.published_id)
        .where(
            Document.state == "PUBLISHED",
            Note.kind == "lesson",
            Note.outcome.in_(_OUTCOMES),
            Note.updated_at > now - _SINCE,
            Note.updated_at > DocumentVersion.reviewed_at,
        )
    )
    for number, version, note in session.execute(query.limit(_AT_ONCE)).all():
        reason = _OUTCOMES[note.outcome or ""]
        key = f"{reason}:{note.sr_id}:{note.server}"
        found = NewFinding(reason, key, note.server or "", note.sr_id)
        _add(session, number, version, found, now)
        if reason == "verification" and note.sr_id is not None:
            change_proposals.note_failure(session, number, note.sr_id, now)


def _look_at_servers(session: Session, now: datetime) -> None:
    """Note the documents of a server that name another version than its CMDB record."""
    since = now - _SINCE
    gathered = cast(Server.facts["gathered_at"].astext, DateTime(timezone=True))
    query = (
        select(Document.document_id, Document.published_id, DocumentVersion.body, Server)
        .join(DocumentVersion, DocumentVersion.version_id == Document.published_id)
        .join(Server, Server.server_id == Document.server_id)
        .where(
            Document.state == "PUBLISHED",
            or_(DocumentVersion.reviewed_at > since, gathered > since),
        )
        .execution_options(yield_per=_AT_ONCE)
    )
    for number, version, body, server in session.execute(query).all():
        now_true = set()
        for name, actual in versions_of(server.facts).items():
            other = differing(body, name, actual)
            if other:
                words = {"written": other, "actual": actual, "server": server.server_id}
                detail = t_default("documents.finding.versions", **words)
                found = NewFinding("server_version", f"server_version:{actual}", detail)
                _add(session, number, version, found, now)
                now_true.add(found.key)
        session.execute(
            delete(DocumentFinding).where(
                DocumentFinding.version_id == version,
                DocumentFinding.reason == "server_version",
                DocumentFinding.key.not_in(now_true),
            )
        )


def versions_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return what a server runs: patterns of the names, each with its version."""
    name, system = str(facts.get("os") or ""), str(facts.get("os_version") or "")
    found = {_OS_NAMES.get(name, re.escape(name)): system} if name and system else {}
    kernel = re.match(r"\d+(?:\.\d+)*", str(facts.get("kernel") or ""))
    if kernel:
        found["kernel|커널"] = kernel[0]
    for software, version in facts.get("versions") or ():
        found[_SOFTWARE.get(software, re.escape(software))] = version
    return found


def differing(text: str, name: str, actual: str) -> str:
    """Return the version that a text names if it is not the actual one; else empty.

    A shorter version is the same as a longer one that begins with it: 9 is 9.4.
    """
    pattern = rf"(?<![^\W\d_])(?:{name}){_VERSION}{_NOT_COUNTED}"
    named: Iterable[str] = (found[1] for found in re.finditer(pattern, text, re.IGNORECASE))
    if "java" in name:  # Java 8 calls itself 1.8
        named = (one.removeprefix("1.") for one in named)
    written = [one for one in named if "." in one or int(one) < _MOST_ALONE]
    known = actual.split(".")
    for one in written:
        if all(mine == real for mine, real in zip(one.split("."), known, strict=False)):
            return ""
    return written[0] if written else ""


def _add(
    session: Session, document: int, version: int | None, found: NewFinding, now: datetime
) -> None:
    values = {
        "document_id": document,
        "version_id": version,
        "reason": found.reason,
        "key": found.key,
        "detail": trim(found.detail, _MOST_DETAIL),
        "sr_id": found.sr_id,
        "found_at": now,
    }
    session.execute(insert(DocumentFinding).values(**values).on_conflict_do_nothing())
