"""The page of costs and budgets, with the form that raises a budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from guardia.board.core.context import BoardContext
from guardia.board.costs import budgets, report
from guardia.board.costs.report import BudgetStatus, CostLine, next_month
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.org.budgets import format_won
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Month = Annotated[str | None, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")]
_Amount = Annotated[str, Form(max_length=20), FOLDED]
_CHART_HEIGHT = 100


@dataclass(frozen=True, slots=True)
class BudgetRaiseForm:
    """Input of the form for more budget."""

    target: str = ""
    """`scope:id`; the form sends `scope:id|token`, the token of the cap that it showed."""
    won: str = ""
    tokens: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of the chart."""

    x: int
    height: int
    line: CostLine


@router.get("/costs")
def show(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    month: Month = None,
    raise_: Annotated[str, Query(alias="raise", max_length=100), CLEANED] = "",
) -> Response:
    """Show one month: costs by agent, institution and model, against the budgets, and by day."""
    shown = date.fromisoformat(f"{month}-01") if month else report.this_month(board)
    return _page(request, board, visitor, shown, BudgetRaiseForm(raise_))


@router.post("/costs/raise")
def raise_cap(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    target: Annotated[str, Form(max_length=100), CLEANED] = "",
    won: _Amount = "",
    tokens: _Amount = "",
    reason: Annotated[Reason, Form()] = "",
) -> Response:
    """Raise a budget for this month and today."""
    scope, _, rest = target.partition(":")
    name, _, seen = rest.partition("|")

    def act() -> object:
        words = {"won": _parse_count(won), "tokens": _parse_count(tokens)}
        return budgets.raise_cap(
            board, visitor.person, scope, name, reason=reason, seen=seen, **words
        )

    def show_again(*, status: int, notice: str) -> Response:
        # After a refusal the form shows the present caps, which may have changed.
        chosen = BudgetRaiseForm(f"{scope}:{name}", won, tokens, reason)
        now, form = report.this_month(board), chosen
        return _page(request, board, visitor, now, form, status=status, notice=notice)

    return actions.submit(request, act, on_success="/costs", on_refusal=show_again)


def _parse_count(text: str) -> int:
    """Parse a number as people write it; returns -1, which is refused later, for other text."""
    digits = text.replace(",", "").strip()
    return 0 if not digits else int(digits) if digits.isdecimal() else -1


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    month: date,
    form: BudgetRaiseForm,
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    require_permission(visitor.person, "costs.read")
    found = report.cost_report(board, month)
    return render.page(
        request,
        "costs/costs.html",
        status=status,
        visitor=visitor,
        found=found,
        capped=[s for s in found.budget_statuses if _has_cap(s)],
        bars=_bars(found.days, month),
        top=max((line.cost or line.tokens for line in found.days), default=0),
        before=next_month(month, -1),
        after=next_month(month),
        form=form,
        notice=notice,
        won=format_won,
        hours=format_duration,
    )


def _has_cap(budget_status: BudgetStatus) -> bool:
    return not (budget_status.month_cap.is_unlimited and budget_status.day_cap.is_unlimited)


def _bars(days: tuple[CostLine, ...], month: date) -> list[DayBar]:
    """Return the chart's bars: money, or tokens if the models are free."""
    money = any(line.cost for line in days)
    size = {line.key: line.cost if money else line.tokens for line in days}
    top = max(size.values(), default=0) or 1
    return [
        DayBar(date.fromisoformat(line.key).day - 1, size[line.key] * _CHART_HEIGHT // top, line)
        for line in days
    ]


def format_duration(milliseconds: int) -> str:
    """Return a duration as hours, minutes and seconds."""
    seconds = milliseconds // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
