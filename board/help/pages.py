"""Pages of the help; also before signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from guardia.board.help import topics
from guardia.board.web import render, session
from guardia.board.web.session import Visitor
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False)


@router.get("/help")
def start(request: Request) -> Response:
    """Show what all people do, and the topic of the visitor's role first."""
    return _page(request, topics.COMMON)


@router.get("/help/{topic}")
def show(request: Request, topic: Annotated[str, Path(max_length=40), CLEANED]) -> Response:
    """Show one topic."""
    return _page(request, topic)


def _page(request: Request, name: str) -> Response:
    visitor = _visitor(request)
    language = session.language_of(request)
    return render.page(
        request,
        "help/help.html",
        visitor=visitor,
        topic=topics.read_topic(name, language),
        topics=[topics.read_topic(one, language) for one in topics.TOPICS],
        own=visitor.person.role if visitor else "",
    )


def _visitor(request: Request) -> Visitor | None:
    try:
        return session.current_visitor(request)
    except session.SignInNeeded:
        return None
