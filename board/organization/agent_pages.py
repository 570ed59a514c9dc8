"""Pages of agents: their profile, current work, and notebooks, which people edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.organization import agent_control, agent_memory, agent_view
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.org.access import require_permission
from guardia.text import CLEANED

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

AgentId = Annotated[str, Path(max_length=64), CLEANED]
NoteNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/agents")
def index(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show all agents of the organization."""
    found = agent_view.list_agents(board, visitor.person)
    return render.page(request, "organization/agents.html", visitor=visitor, agents=found)


@router.get("/agents/{agent_id}")
def show(request: Request, board: BoardDep, visitor: CurrentVisitor, agent_id: AgentId) -> Response:
    """Show one agent."""
    return _page(request, board, visitor, agent_id)


def _page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    agent_id: str,
    *,
    status: int = 200,
    notice: str = "",
    draft: str = "",
) -> Response:
    return render.page(
        request,
        "organization/agent.html",
        status=status,
        visitor=visitor,
        page=agent_view.agent_page(board, visitor.person, agent_id),
        notice=notice,
        draft=draft,
    )


@router.post("/agents/{agent_id}/control")
def control(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    agent_id: AgentId,
    act: Annotated[Literal["pause", "resume", "wake"], Form()],
) -> Response:
    """Pause or resume an agent, or run it now."""
    require_permission(visitor.person, "agent.wake" if act == "wake" else "agent.control")
    by = Actor.of(visitor.person)
    acts: dict[str, Callable[[], object]] = {
        "pause": lambda: agent_control.pause(board, agent_id, by),
        "resume": lambda: agent_control.resume(board, agent_id, by),
        "wake": lambda: agent_control.wake_now(board, agent_id, by),
    }
    return actions.submit(
        request,
        acts[act],
        on_success=f"/agents/{agent_id}",
        on_refusal=partial(_page, request, board, visitor, agent_id),
    )


@router.post("/agents/{agent_id}/notes")
def teach(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    agent_id: AgentId,
    body: Annotated[str, Form(max_length=agent_memory.LESSON_LIMIT), CLEANED] = "",
) -> Response:
    """Add a lesson for an agent."""
    return actions.submit(
        request,
        lambda: agent_memory.add_lesson(board, visitor.person, agent_id, body),
        on_success=f"/agents/{agent_id}",
        on_refusal=partial(_page, request, board, visitor, agent_id, draft=body),
    )


@router.get("/agents/{agent_id}/notes/{note_id}")
def note(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    agent_id: AgentId,
    note_id: NoteNumber,
) -> Response:
    """Show one note: its history, and the form that changes it."""
    return _note(request, board, visitor, agent_id, note_id)


def _note(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    agent_id: str,
    note_id: int,
    *,
    status: int = 200,
    notice: str = "",
    draft: str | None = None,
) -> Response:
    return render.page(
        request,
        "organization/note.html",
        status=status,
        visitor=visitor,
        page=agent_view.note_page(board, visitor.person, agent_id, note_id),
        notice=notice,
        draft=draft,
    )


@router.post("/agents/{agent_id}/notes/{note_id}")
def change(
    *,
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    agent_id: AgentId,
    note_id: NoteNumber,
    verb: Annotated[Literal["save", "strike", "restore"], Form()],
    version: Annotated[int, Form(ge=1)],
    body: Annotated[str, Form(max_length=agent_memory.WORKING_MEMORY_LIMIT), CLEANED] = "",
) -> Response:
    """Edit, strike or restore exactly the version of a note that was shown."""
    seen = {"version": version}
    acts: dict[str, Callable[[], Any]] = {
        "save": lambda: agent_memory.edit(
            board, visitor.person, agent_id, note_id, body=body, **seen
        ),
        "strike": lambda: agent_memory.set_note_active(
            board, visitor.person, agent_id, note_id, active=False, **seen
        ),
        "restore": lambda: agent_memory.set_note_active(
            board, visitor.person, agent_id, note_id, active=True, **seen
        ),
    }
    draft = body if verb == "save" else None
    return actions.submit(
        request,
        acts[verb],
        on_success=f"/agents/{agent_id}/notes/{note_id}",
        on_refusal=partial(_note, request, board, visitor, agent_id, note_id, draft=draft),
    )
