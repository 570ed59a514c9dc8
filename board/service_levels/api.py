"""API of service levels: report, business calendar, the time of an issue, what requesters say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from guardia.board.issues import visibility
from guardia.board.service_levels import (
    calendar_view,
    days,
    report,
    satisfaction,
    section,
    unresolved,
)
from guardia.board.service_levels.days import NewDay
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr

router = APIRouter(prefix="/api/v3/service-levels", tags=["service levels"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Institution = Annotated[CleanStr, Query(max_length=100)]


class LineOut(BaseModel):
    """Kept and broken targets of one kind and priority of an institution."""

    institution: str
    name: str
    kind: str
    priority: str
    kept: int
    broken: int
    overdue: int
    rate: float


class ReportOut(BaseModel):
    """A month of service levels."""

    month: str
    lines: list[LineOut]
    satisfaction: float | None
    answers: int


class DayOut(BaseModel):
    """A day off, or a worked day."""

    day: date
    name: str
    institution: str
    is_open: bool
    by_hand: bool


class DayIn(BaseModel):
    """A day to add."""

    name: CleanStr = Field(max_length=100)
    institution: CleanStr = Field(default="", max_length=100)
    is_open: bool = False


class ClockOut(BaseModel):
    """A clock of an issue."""

    kind: str
    state: str
    due_at: datetime | None
    left_seconds: int
    target_seconds: int
    hours: str


class ServiceOut(BaseModel):
    """The time of an issue."""

    number: int
    clocks: list[ClockOut]
    expected: str
    contact: str
    score: int | None


class RatingIn(BaseModel):
    """What the requester thinks of the resolution."""

    score: int = Field(ge=1, le=5)
    comment: CleanStr = Field(default="", max_length=1000)


class UnresolvedIn(BaseModel):
    """Why a request is not resolved."""

    reason: CleanStr = Field(max_length=1000)


class FollowedOut(BaseModel):
    """The request that goes on: the same one, or another."""

    number: int
    reopened: bool


@router.get("/report", summary="Kept and broken targets of a month")
def month_report(
    board: BoardDep,
    caller: Caller,
    month: Annotated[CleanStr, Query(max_length=7)] = "",
    institution: _Institution = "",
) -> ReportOut:
    """Return the report of a month, by default the present one."""
    found = report.month_report(board, caller, month, institution)
    lines = [LineOut.model_validate(one, from_attributes=True) for one in found.lines]
    return ReportOut(
        month=found.month, lines=lines, satisfaction=found.score, answers=found.answers
    )


@router.get("/days", summary="Days off of the next year")
def list_days(board: BoardDep, caller: Caller) -> list[DayOut]:
    """Return public holidays and days added by hand."""
    found = calendar_view.read_calendar(board, caller).days
    return [DayOut.model_validate(one, from_attributes=True) for one in found]


@router.put("/days/{day}", summary="Add a day", status_code=204)
def add_day(board: BoardDep, caller: Caller, day: date, given: DayIn) -> None:
    """Add a day to the business calendar."""
    days.add_day(board, caller, NewDay(day, given.name, given.institution, given.is_open))


@router.delete("/days/{day}", summary="Remove a day that was added", status_code=204)
def remove_day(board: BoardDep, caller: Caller, day: date, institution: _Institution = "") -> None:
    """Remove a day; 404 if there is none."""
    days.remove_day(board, caller, day, institution)


@router.get("/issues/{number}", summary="The time of an issue")
def show_issue(board: BoardDep, caller: Caller, number: Number) -> ServiceOut:
    """Return clocks, expected time, contact and satisfaction; 404 if there is no such issue."""
    found = section.read_section(board, caller, number)
    clocks = [
        ClockOut(
            kind=one.kind,
            state=one.state,
            due_at=one.due_at,
            left_seconds=int(one.left.total_seconds()),
            target_seconds=int(one.target.total_seconds()),
            hours=one.hours,
        )
        for one in found.clocks
    ]
    score = found.rating.score if found.rating else None
    return ServiceOut(
        number=number, clocks=clocks, expected=found.expected, contact=found.contact, score=score
    )


@router.put("/issues/{number}/satisfaction", summary="Rate the resolution", status_code=204)
def rate(board: BoardDep, caller: Caller, number: Number, given: RatingIn) -> None:
    """Keep what the requester thinks of the resolution."""
    visibility.require_issue(board, caller, number)
    satisfaction.rate(board, caller, number, given.score, given.comment)


@router.post("/issues/{number}/unresolved", summary="Say that it is not resolved")
def report_unresolved(
    board: BoardDep, caller: Caller, number: Number, given: UnresolvedIn
) -> FollowedOut:
    """Reopen an ended request, or open another one for it."""
    visibility.require_issue(board, caller, number)
    done = unresolved.report_unresolved(board, caller, number, given.reason)
    return FollowedOut(number=done.sr_id, reopened=done.is_reopened)
