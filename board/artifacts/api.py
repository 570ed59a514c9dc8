"""API of artefacts: upload as a stream, list, show and remove."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from guardia.board.artifacts import records, view
from guardia.board.artifacts.blob_store import BlobStore, Incoming
from guardia.board.artifacts.records import NewArtifact
from guardia.board.core.keyset import Keyset
from guardia.board.web.caller import BoardDep, Caller
from guardia.text import CleanStr

router = APIRouter(prefix="/api/v3/artifacts", tags=["artifacts"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_PIECE = 1 << 20
"""Bytes that are written at once: each write takes a turn of a thread."""


class ArtifactOut(BaseModel):
    """An artefact."""

    number: int
    name: str
    version: str
    file_name: str
    sha256: str
    size: int
    signed_by: str
    created_by: str
    created_at: datetime


@router.get("", summary="Artefacts, newest first")
def list_(
    board: BoardDep,
    caller: Caller,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[ArtifactOut]:
    """Return one page of artefacts."""
    found = view.list_artifacts(board, caller, Keyset(before=before, size=limit))
    return [_out(one) for one in found.rows]


@router.get("/{number}", summary="One artefact")
def show(board: BoardDep, caller: Caller, number: Number) -> ArtifactOut:
    """Return an artefact; 404 if there is none."""
    return _out(view.get_artifact(board, caller, number))


def _described(
    name: CleanStr,
    version: CleanStr,
    file: Annotated[CleanStr, Query(max_length=128, description="Name of the file")],
    x_artifact_signature: Annotated[CleanStr, Header(max_length=8192)] = "",
) -> NewArtifact:
    """Return what the request says about its body."""
    return NewArtifact(name, version, file, x_artifact_signature.strip())


@router.put("/{name}/{version}", summary="Upload an artefact: the body", status_code=201)
async def upload(
    request: Request,
    board: BoardDep,
    caller: Caller,
    new: Annotated[NewArtifact, Depends(_described)],
    x_artifact_sha256: Annotated[CleanStr, Header(max_length=64)] = "",
) -> ArtifactOut:
    """Receive the file as a stream; 422 if it is not what its digest says."""
    settings = request.app.state.settings
    store = BlobStore.of(settings)
    announced = request.headers.get("content-length", "")
    size = int(announced[:18]) if announced.isdecimal() else 0
    with await run_in_threadpool(records.prepare, board, store, caller, new, size) as incoming:
        await _receive(request, incoming)
        records.require_announced(incoming, x_artifact_sha256)
        await run_in_threadpool(incoming.seal)
        number = await run_in_threadpool(
            records.add, board, store, caller, new, incoming, settings.artifact_keys
        )
    return _out(await run_in_threadpool(view.get_artifact, board, caller, number))


async def _receive(request: Request, incoming: Incoming) -> None:
    """Write the body in pieces, so that no more than one of them is in memory."""
    piece = bytearray()
    async for data in request.stream():
        piece += data
        if len(piece) >= _PIECE:
            await run_in_threadpool(incoming.write, bytes(piece))
            piece.clear()
    await run_in_threadpool(incoming.write, bytes(piece))


@router.delete("/{number}", summary="Remove an artefact that no rollout needs", status_code=204)
def remove(request: Request, board: BoardDep, caller: Caller, number: Number) -> None:
    """Remove an artefact; 404 if there is none, 409 while a rollout needs it."""
    records.remove(board, BlobStore.of(request.app.state.settings), caller, number)


def _out(one: view.ArtifactView) -> ArtifactOut:
    return ArtifactOut.model_validate(one, from_attributes=True)
