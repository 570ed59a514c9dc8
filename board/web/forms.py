"""Form for filing a new issue or goal."""

from __future__ import annotations

import secrets

from fastapi import Request
from fastapi.responses import HTMLResponse

from guardia.board.web import render
from guardia.board.web.session import Visitor


def render_form(
    request: Request,
    template: str,
    visitor: Visitor,
    *,
    title: str = "",
    body: str = "",
    ticket: str = "",
    notice: str = "",
    status: int = 200,
    **more: object,
) -> HTMLResponse:
    """Render the form with the input so far; its `ticket` makes a second submission a repeat."""
    return render.page(
        request,
        template,
        status=status,
        visitor=visitor,
        title=title,
        body=body,
        ticket=ticket or secrets.token_urlsafe(12),
        notice=notice,
        **more,
    )
