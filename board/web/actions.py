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
