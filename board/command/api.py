"""API of commands: read, preview and carry out a line with the rights of a person or token."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from guardia.board.command import answers, giving, view
from guardia.board.command.records import MAX_WORDS, TypedLine
from guardia.board.command.replies import CommandReply
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr

router = APIRouter(prefix="/api/v3/commands", tags=["commands"])

CHANNEL = "api"
_MAX = 2**63 - 1


class CommandIn(BaseModel):
    """A command in Korean."""

    text: Annotated[CleanStr, Field(min_length=1, max_length=MAX_WORDS)]
    sr: Annotated[int | None, Field(ge=1, le=_MAX)] = None
    """The issue that it is about where it names none."""
    dry_run: bool = False
    """Only read it."""
    confirmed: bool = False
    """Carry out a command that ends or changes something without asking back."""


class PressIn(BaseModel):
    """A button of an earlier answer."""

    act: Annotated[str, Field(pattern="^(confirm|cancel|choose|undo)$")]
    value: Annotated[CleanStr, Field(min_length=1, max_length=64)]


class ChoiceOut(BaseModel):
    """A button: post its `act` and `value` to `/api/v3/commands/press`."""

    act: str
    value: str
    label: str


class CommandOut(BaseModel):
    """How a line was read, and what became of it."""

    structure: dict[str, Any]
    sentence: str
    state: str | None
    """`null`: nothing was done or stored."""
    text: str
    command: int | None
    sr: int | None
    path: str
    choices: list[ChoiceOut]


@router.post("", summary="Carry out a command in Korean, or only read it")
def give(board: BoardDep, caller: Caller, body: CommandIn) -> CommandOut:
    """Carry out a command. What it must ask first comes back with `choices`."""
    line = TypedLine(body.text, CHANNEL, body.sr)
    if body.dry_run:
        return _out(giving.preview(board, caller, line))
    return _out(giving.give(board, caller, line, confirmed=body.confirmed))


@router.post("/press", summary="Press a button of an answer: confirm, cancel, choose, undo")
def press(board: BoardDep, caller: Caller, body: PressIn) -> CommandOut:
    """Carry out a choice, once."""
    return _out(answers.press(board, caller, body.act, body.value))


@router.get("/{number}", summary="A command of one's own and its result")
def show(
    board: BoardDep, caller: Caller, number: Annotated[int, Path(ge=1, le=_MAX)]
) -> CommandOut:
    """Return a command; 404 for another person's."""
    return _out(view.result(board, caller, number).reply)


def _out(reply: CommandReply) -> CommandOut:
    return CommandOut(
        structure=reply.command.as_dict(),
        sentence=reply.sentence,
        state=reply.state.value if reply.state else None,
        text=reply.text,
        command=reply.command_id,
        sr=reply.sr_id,
        path=reply.path,
        choices=[ChoiceOut(act=c.act, value=c.value, label=c.label) for c in reply.choices],
    )
