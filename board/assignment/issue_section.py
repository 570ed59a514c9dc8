"""What the page of an issue shows about who has it, its question, and linked reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.assignment import reports, view
from guardia.board.assignment.model import IssueReport, Question
from guardia.board.assignment.view import ProposalView, QueuedIssue
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.lifecycle import OPEN_STATES, State
from guardia.board.core.model import Issue
from guardia.board.issues import visibility
from guardia.board.issues.visibility import visible_to
from guardia.org.access import is_allowed
from guardia.org.directory import PersonInfo
from guardia.org.model import Person, Team

_MOST = 10


@dataclass(frozen=True, slots=True)
class QuestionView:
    """The question that waits for the requester's answer."""

    text: str
    choices: tuple[tuple[str, str], ...]
    """Server and label of each."""


@dataclass(frozen=True, slots=True)
class LinkedReport:
    """Another report of the same fault, as far as the viewer may see it."""

    sr_id: int
    title: str


@dataclass(frozen=True, slots=True)
class AssignmentSection:
    """Who has an issue and why. Customers get its question and its link only."""

    sr_id: int
    is_open: bool = False
    holder: str = ""
    history: tuple[ProposalView, ...] = ()
    queued: QueuedIssue | None = None
    confidence: str = ""
    question: QuestionView | None = None
    main: LinkedReport | None = None
    is_report: bool = False
    """Whether it is a report of another issue, which the viewer may not be able to see."""
    reports: tuple[LinkedReport, ...] = ()
    report_count: int = 0
    similar: tuple[LinkedReport, ...] = ()
    assignees: tuple[tuple[str, str], ...] = ()
    """Value and label of the people and teams to whom it can be assigned."""

    @property
    def mine(self) -> ProposalView | None:
        """The proposal that waits for the viewer's answer."""
        return next((row for row in self.history if row.is_mine), None)

    @property
    def asked(self) -> ProposalView | None:
        """The proposal that waits for anyone's answer."""
        return next((row for row in self.history if row.state == "OPEN"), None)


def read_section(board: BoardContext, viewer: PersonInfo, sr_id: int) -> AssignmentSection:
    """Return the section of an issue. Raises `NotFound` if the viewer may not see it."""
    with board.database.reading() as session:
        issue = visibility.find_issue(session, viewer, sr_id)
        return _read(session, viewer, issue, board.current_time())


def _read(session: Session, viewer: PersonInfo, issue: Issue, now: datetime) -> AssignmentSection:
    sr_id, is_open = issue.sr_id, State(issue.status) in OPEN_STATES
    main, is_report = _main(session, viewer, sr_id)
    question = _question(session, viewer, sr_id)
    if not is_allowed(viewer, "queue.read"):
        return AssignmentSection(sr_id, is_open, question=question, main=main, is_report=is_report)
    may_assign = is_allowed(viewer, "issue.assign") and is_open
    rows, count = _reports(session, viewer, sr_id)
    similar = reports.similar_issues(session, issue, now) if may_assign and not is_report else []
    return AssignmentSection(
        sr_id,
        is_open,
        question=question,
        main=main,
        is_report=is_report,
        holder=_holder(session, issue),
        history=view.history_of(session, viewer, sr_id),
        queued=view.queue_entry_of(session, sr_id),
        confidence=str(issue.triage.get("confidence") or ""),
        reports=rows,
        report_count=count,
        similar=_visible(session, viewer, similar),
        assignees=assignees(session) if may_assign else (),
    )


def _holder(session: Session, issue: Issue) -> str:
    actors = [str(Actor.person(issue.assignee_id))] if issue.assignee_id else []
    if issue.agent_id and issue.status != State.MANUAL:
        actors.append(str(Actor.agent(issue.agent_id)))
    names = display_names_of(session, actors)
    return " · ".join(names[actor] for actor in actors if actor in names)


def _question(session: Session, viewer: PersonInfo, sr_id: int) -> QuestionView | None:
    if not is_allowed(viewer, "issue.comment"):
        return None
    query = select(Question).where(Question.sr_id == sr_id, Question.state == "OPEN")
    row = session.scalars(query).one_or_none()
    if row is None:
        return None
    return QuestionView(row.text, tuple((one["server"], one["label"]) for one in row.choices))


def _main(session: Session, viewer: PersonInfo, sr_id: int) -> tuple[LinkedReport | None, bool]:
    query = select(IssueReport.main_id).where(
        IssueReport.sr_id == sr_id, IssueReport.state.in_(("LINKED", "ANSWERED"))
    )
    main_id = session.scalar(query.order_by(IssueReport.report_id.desc()).limit(1))
    if main_id is None:
        return None, False
    return next(iter(_visible(session, viewer, [main_id])), None), True


def _reports(
    session: Session, viewer: PersonInfo, sr_id: int
) -> tuple[tuple[LinkedReport, ...], int]:
    linked = IssueReport.main_id == sr_id, IssueReport.state.in_(("LINKED", "ANSWERED"))
    newest = select(IssueReport.sr_id).where(*linked).order_by(IssueReport.report_id.desc())
    count = session.scalar(select(func.count()).select_from(IssueReport).where(*linked)) or 0
    return _visible(session, viewer, list(session.scalars(newest.limit(_MOST)))), count


def _visible(session: Session, viewer: PersonInfo, numbers: list[int]) -> tuple[LinkedReport, ...]:
    if not numbers:
        return ()
    query = select(Issue.sr_id, Issue.title).where(Issue.sr_id.in_(numbers), visible_to(viewer))
    return tuple(LinkedReport(*row) for row in session.execute(query.order_by(Issue.sr_id)))


def assignees(session: Session) -> tuple[tuple[str, str], ...]:
    """Return value and label of the people and teams that may have an issue."""
    rows = session.scalars(select(Person).where(Person.active).order_by(Person.name))
    people = [row.as_info() for row in rows if row.role != "customer"]
    able = [(p.id, f"{p.name} {p.title}".strip()) for p in people if is_allowed(p, "issue.assign")]
    teams = session.execute(select(Team.team_id, Team.name).order_by(Team.name))
    return (*able, *((team, name) for team, name in teams))
