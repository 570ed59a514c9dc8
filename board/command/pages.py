"""The console: a command line with completion, what was understood, the result, the history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from guardia.board.audit.log import snapshot_size
from guardia.board.command import answers, completion, giving, view
from guardia.board.command.records import MAX_WORDS, TypedLine
from guardia.board.command.replies import CommandReply
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

CHANNEL = "web"
_MAX = 2**63 - 1
_Line = Annotated[str, Form(max_length=MAX_WORDS), CLEANED]
_Issue = Annotated[int | None, Form(ge=1, le=_MAX)]
Number = Annotated[int, Path(ge=1, le=_MAX)]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the console shows: a line, a command's result, a page of the history."""

    words: str = ""
    sr: int | None = None
    command: int | None = None
    before: int | None = None


_NOTHING = _Asked()


@router.get("/console")
def show_console(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=MAX_WORDS), CLEANED] = "",
    sr: Annotated[int | None, Query(ge=1, le=_MAX)] = None,
    command: Annotated[int | None, Query(ge=1, le=_MAX)] = None,
    before: Annotated[int | None, Query(ge=1, le=_MAX)] = None,
) -> Response:
    """Show the console: with `q` what a line means, with `command` what became of one."""
    preview = giving.preview(board, visitor.person, TypedLine(q, CHANNEL, sr)) if q else None
    asked = _Asked(q, sr, command, before)
    return _page(request, board, visitor, asked=asked, preview=preview)


@router.get("/console/preview")
def read_line(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=MAX_WORDS), CLEANED] = "",
    sr: Annotated[int | None, Query(ge=1, le=_MAX)] = None,
) -> Response:
    """Show what a line means while it is typed."""
    preview = None
    if q.strip():
        preview = giving.preview(board, visitor.person, TypedLine(q, CHANNEL, sr))
    words = _preview_words(preview)
    return render.page(request, "command/parts/understood.html", visitor=visitor, **words)


@router.get("/console/complete")
def complete(
    board: BoardDep,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=MAX_WORDS), CLEANED] = "",
    after: Annotated[str, Query(max_length=200), CLEANED] = "",
) -> Response:
    """Return how the last word of a line may go on."""
    found = completion.complete(board, visitor.person, q, after)
    rows = [
        {"line": s.line, "label": s.label, "kind": completion.kind_label(s.kind)}
        for s in found.rows
    ]
    return JSONResponse({"rows": rows, "after": found.after})


@router.post("/console")
def run(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    q: _Line = "",
    sr: _Issue = None,
) -> Response:
    """Carry a line out and show its result."""
    return actions.submit(
        request,
        lambda: giving.give(board, visitor.person, TypedLine(q, CHANNEL, sr)),
        on_success=partial(_path, q, sr),
        on_refusal=partial(_page, request, board, visitor, asked=_Asked(q, sr)),
    )


@router.post("/console/press")
def press(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    act: Annotated[str, Form(max_length=16), CLEANED],
    value: Annotated[str, Form(max_length=64), CLEANED],
) -> Response:
    """Carry out a button of a command."""
    return actions.submit(
        request,
        lambda: answers.press(board, visitor.person, act, value),
        on_success=partial(_path, "", None),
        on_refusal=partial(_page, request, board, visitor),
    )


@router.get("/console/commands/{number}")
def show_result(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number
) -> Response:
    """Show the changing part of a command's result."""
    found = view.result(board, visitor.person, number)
    return render.page(request, "command/result_live.html", visitor=visitor, found=found)


def _path(words: str, sr: int | None, reply: CommandReply) -> str:
    """Return where a result shows: what was no command stays in the line."""
    here = {"sr": sr} if sr else {}
    if reply.command_id:
        return f"/console?{urlencode({'command': reply.command_id, **here})}"
    return f"/console?{urlencode({'q': words, **here})}"


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    *,
    asked: _Asked = _NOTHING,
    preview: CommandReply | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    person, command = visitor.person, asked.command
    with board.database.reading() as session:
        position = snapshot_size(session)
    found = view.result(board, person, command) if command else None
    return render.page(
        request,
        "command/console.html",
        status=status,
        visitor=visitor,
        words=asked.words,
        sr=asked.sr,
        found=found,
        history=view.history(board, person, asked.before),
        scheduled=view.scheduled(board, person),
        position=position,
        notice=notice,
        **_preview_words(preview),
    )


def _preview_words(preview: CommandReply | None) -> dict[str, Any]:
    structure = json.dumps(preview.command.as_dict(), ensure_ascii=False) if preview else ""
    return {"preview": preview, "structure": structure}
