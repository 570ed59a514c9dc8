"""The API's description as a page, without any CDN."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from guardia.board.web import render
from guardia.board.web.session import SignInNeeded, Visitor, current_visitor

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> Response:
    """Show Swagger UI over `/openapi.json`, from our own files and in the visitor's frame."""
    return render.page(request, "site/docs.html", visitor=_visitor(request))


def _visitor(request: Request) -> Visitor | None:
    try:
        return current_visitor(request)
    except SignInNeeded:
        return None
