"""The API's description as a page, without any CDN."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from guardia.board.web import render

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(request: Request) -> Response:
    """Show Swagger UI over `/openapi.json`, from our own files."""
    return render.page(request, "site/docs.html")
