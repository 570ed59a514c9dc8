"""What this system is, whom to ask, what it stores about people, and how it can be operated."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from guardia import __version__
from guardia.board.web import render, session

router = APIRouter(include_in_schema=False)


@router.get("/about")
def about(request: Request) -> Response:
    """Show the notes that the footer leads to; also before signing in."""
    try:
        visitor = session.current_visitor(request)
    except session.SignInNeeded:
        visitor = None
    return render.page(request, "site/about.html", visitor=visitor, version=__version__)
