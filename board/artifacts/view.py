"""Read artefacts for pages, commands and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from guardia.board.artifacts.model import Artifact, ArtifactHold
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


@dataclass(frozen=True, slots=True)
class ArtifactView:
    """One artefact."""

    number: int
    name: str
    version: str
    file_name: str
    sha256: str
    size: int
    signed_by: str
    created_by: str
    created_at: datetime
    holders: tuple[str, ...]
    """What still needs it."""


def list_artifacts(
    board: BoardContext, viewer: PersonInfo | None, page: Keyset
) -> Slice[ArtifactView]:
    """Return one page, newest first; `viewer` is `None` for the operator."""
    if viewer is not None:
        require_permission(viewer, "artifact.read")
    with board.database.reading() as session:
        query, column = select(Artifact.artifact_id), Artifact.artifact_id
        found = read_slice(session, query, column, page, key=lambda row: int(row[0]))
    views = tuple(get_artifact(board, viewer, row[0]) for row in found.rows)
    return Slice(views, found.newer, found.older)


def get_artifact(board: BoardContext, viewer: PersonInfo | None, number: int) -> ArtifactView:
    """Return one artefact. Raises `NotFound` if there is none."""
    if viewer is not None:
        require_permission(viewer, "artifact.read")
    with board.database.reading() as session:
        row = session.get(Artifact, number)
        if row is None:
            raise NotFound(what=t("artifacts.number", number=number))
        held = select(ArtifactHold.holder).where(ArtifactHold.artifact_id == number)
        names = display_names_of(session, [row.created_by])
        return ArtifactView(
            number=row.artifact_id,
            name=row.name,
            version=row.version,
            file_name=row.file_name,
            sha256=row.sha256,
            size=row.size,
            signed_by=row.signed_by,
            created_by=names.get(row.created_by, row.created_by),
            created_at=row.created_at,
            holders=tuple(session.scalars(held.order_by(ArtifactHold.holder))),
        )


def find_artifact(board: BoardContext, name: str, version: str) -> ArtifactView | None:
    """Return the artefact with a name and a version, or `None`."""
    with board.database.reading() as session:
        query = select(Artifact.artifact_id)
        found = session.scalar(query.where(Artifact.name == name, Artifact.version == version))
    return get_artifact(board, None, found) if found is not None else None
