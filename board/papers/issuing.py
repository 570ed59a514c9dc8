"""Make papers: read the facts, compose, write the file, and record who took it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue, Task
from guardia.board.issues import visibility
from guardia.board.papers import inspection_facts, issue_facts, month_facts, printing, revisions
from guardia.board.papers.composing import compose
from guardia.board.papers.hwpx_writer import as_hwpx
from guardia.board.papers.paper import Paper, PaperFormat, PaperKind
from guardia.board.papers.xlsx_writer import as_workbook
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t, t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server

_READ = "paper.read"
ISSUE_KINDS: tuple[PaperKind, ...] = ("work_plan", "work_result", "incident")
MEDIA_TYPES: dict[PaperFormat, str] = {
    "hwpx": "application/hwp+zip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
}
_WRITERS: dict[PaperFormat, Callable[[Paper], bytes]] = {
    "hwpx": as_hwpx,
    "xlsx": as_workbook,
    "html": lambda paper: printing.as_html(paper).encode(),
    "json": lambda paper: json.dumps(asdict(paper), ensure_ascii=False).encode(),
}


@dataclass(frozen=True, slots=True)
class PaperRequest:
    """The paper to make: of an issue, of an institution's month, or of a server."""

    kind: PaperKind
    sr_id: int | None = None
    institution: str = ""
    server: str = ""
    month: str = ""


@dataclass(frozen=True, slots=True)
class PaperFile:
    """A paper as a file."""

    content: bytes
    name: str
    media_type: str


def list_kinds(board: BoardContext, viewer: PersonInfo, sr_id: int) -> tuple[PaperKind, ...]:
    """Return the papers that there are of an issue. Raises `NotFound` for strangers to it."""
    require_permission(viewer, _READ)
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        return _kinds(session, viewer, issue)


def make_paper(board: BoardContext, viewer: PersonInfo, wanted: PaperRequest) -> Paper:
    """Return a paper as it is now.

    Raises `NotFound` if there is none for this viewer.
    """
    require_permission(viewer, _READ)
    if wanted.kind == "month":
        facts = month_facts.read_facts(board, viewer, wanted.institution, wanted.month)
        place: str | None = wanted.institution
    elif wanted.kind == "inspection":
        facts = inspection_facts.read_facts(board, viewer, wanted.server, wanted.month)
        place = _institution_of(board, wanted.server)
    else:
        with board.database.reading() as session:
            issue = visibility.find_issue(session, viewer, wanted.sr_id or 0)
            if wanted.kind not in _kinds(session, viewer, issue):
                raise NotFound(what=f"{issue.ref} {t(f'papers.kind.{wanted.kind}')}")
            now = board.current_time()
            facts = issue_facts.read_facts(session, viewer, issue, wanted.kind, now)
            place = issue.inst_id
    with board.database.reading() as session:
        found = revisions.in_force(session, wanted.kind, place)
    return compose(found.parsed, facts)


def write(paper: Paper, form: PaperFormat) -> PaperFile:
    """Return a paper as a file of a format."""
    return PaperFile(_WRITERS[form](paper), f"{paper.file_name}.{form}", MEDIA_TYPES[form])


def issue_file(
    board: BoardContext, viewer: PersonInfo, actor: Actor, wanted: PaperRequest, form: PaperFormat
) -> PaperFile:
    """Make a paper, write it, and record that it was taken."""
    file = write(make_paper(board, viewer, wanted), form)
    record(board, actor, wanted, form)
    return file


@repeat_on_conflict
def record(board: BoardContext, actor: Actor, wanted: PaperRequest, form: PaperFormat) -> None:
    """Record in the audit log who took which paper."""
    place = wanted.institution or wanted.server
    with board.database.transaction() as session:
        log.append(
            session,
            EntryKind.PAPER_ISSUED,
            actor=str(actor),
            now=board.clock(),
            sr_id=wanted.sr_id,
            detail={
                "kind": wanted.kind,
                "format": form,
                "institution": wanted.institution,
                "server": wanted.server,
                "month": wanted.month,
            },
            paper=t_default(f"papers.kind.{wanted.kind}"),
            form=t_default(f"papers.format.{form}"),
            place=f" {place} {wanted.month}".rstrip(),
            who=actor.label if actor.label != "cli" else t_default("web.operator"),
        )


def _kinds(session: Session, viewer: PersonInfo, issue: Issue) -> tuple[PaperKind, ...]:
    query = select(exists().where(Task.sr_id == issue.sr_id, Task.plan.is_not(None)))
    return issue_facts.available_kinds(issue, viewer, has_plan=bool(session.scalar(query)))


def _institution_of(board: BoardContext, server: str) -> str | None:
    with board.database.reading() as session:
        return session.scalar(select(Server.inst_id).where(Server.server_id == server))
