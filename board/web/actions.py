"""Handle a submitted form: redirect on success, show the page again on refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from guardia.board.web import errors, render
from guardia.errors import UserError

_Result = TypeVar("_Result")


class RefusalPage(Protocol):
    """The page that shows a refusal."""

    def __call__(self, *, status: int, notice: str) -> Response:
        """Render the page with the sentence of the refusal."""


class FieldRefusalPage(Protocol):
    """The page of a form that shows a refusal at the field that is wrong."""

    def __call__(self, *, status: int, notice: str, field: str) -> Response:
        """Render the page; `field` is the wrong one's name, or empty if it is none alone."""


def submit_fields(
    request: Request,
    act: Callable[[], _Result],
    *,
    on_success: str | Callable[[_Result], str],
    on_refusal: FieldRefusalPage,
) -> Response:
    """Run `act` like `submit`; the page also gets the field that the refusal is about."""
    refused_field = why = ""

    def act_and_note() -> _Result:
        nonlocal refused_field, why
        try:
            return act()
        except UserError as error:
            refused_field = str(error.detail.get("field", ""))
            # At the field, its name would only be repeated.
            why = str(error.detail.get("why", "")) if refused_field else ""
            raise

    def show(*, status: int, notice: str) -> Response:
        return on_refusal(status=status, notice=why or notice, field=refused_field)

    return submit(request, act_and_note, on_success=on_success, on_refusal=show)


def submit(
    request: Request,
    act: Callable[[], _Result],
    *,
    on_success: str | Callable[[_Result], str],
    on_refusal: RefusalPage,
) -> Response:
    """Run `act` and redirect to where its result shows; show the page again if it is refused.

    A refusal is raised if a program has sent the form: it gets the error as JSON.
    """
    try:
        result = act()
    except UserError as error:
        if not errors.wants_page(request):
            raise
        with render.use_visitor_language(request):
            notice = errors.message_of(error)
        return on_refusal(status=errors.status_of(error), notice=notice)
    location = on_success if isinstance(on_success, str) else on_success(result)
    return RedirectResponse(location, status_code=303)
