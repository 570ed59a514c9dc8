"""Read rollouts for pages and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from guardia.board.artifacts import changes
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.artifacts.changes import FileComparison
from guardia.board.artifacts.model import Artifact
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.audit.model import AuditEntry
from guardia.board.core.bundle import content_hash
from guardia.board.core.context import BoardContext
from guardia.board.core.display_names import display_names_of
from guardia.board.core.keyset import Keyset, Slice, read_slice
from guardia.board.core.plan import Plan
from guardia.board.rollouts.model import Rollout, RolloutFront
from guardia.board.rollouts.policy import ENDS, Options, RolloutState, ServerState
from guardia.board.rollouts.requests import Request
from guardia.board.rollouts.server_steps import ServerSteps, place_of, steps_of
from guardia.errors import NotFound
from guardia.i18n import t
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

_FAILED = frozenset({ServerState.RESTORED, ServerState.BROKEN, ServerState.UNDOING})
_ENDINGS = (EntryKind.FAILED, EntryKind.HANDED_OVER)


@dataclass(frozen=True, slots=True)
class FrontView:
    """One step on a load balancer that is on another server."""

    step: str
    """`out` or `back`."""
    server: str
    """The server of the load balancer."""
    state: ServerState
    plan: Plan
    hash: str
    task_id: int | None


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server of a rollout."""

    server: str
    service: str
    tier: str
    batch: int
    state: ServerState
    plan: Plan
    hash: str
    task_id: int | None
    fronts: tuple[FrontView, ...]
    """Its steps on load balancers of other servers, in their order."""
    why: str = ""
    """What its agent reported of a change that was not made."""


@dataclass(frozen=True, slots=True)
class RolloutFiles:
    """The files of a rollout's artefact, compared with those of the one that runs."""

    against: str
    """What they are compared with; empty: what runs is no known artefact."""
    comparison: FileComparison | None
    """`None`: the artefact is no archive."""


@dataclass(frozen=True, slots=True)
class RolloutView:
    """One rollout."""

    number: int
    title: str
    sha256: str
    artifact_id: int | None
    state: RolloutState
    reason: str
    options: Options
    sr_id: int | None
    created_by: str
    created_at: datetime
    servers: tuple[ServerView, ...]
    position: int
    """The audit log's size when this was read."""
    request: Request | None
    """What a page asked for; `None`: it was drafted by a command."""
    left_out: Mapping[str, str]
    """Why servers have no plan, by server."""
    running: Mapping[str, Any] | None
    """The files that the first server runs, as far as they were read."""

    @property
    def done(self) -> int:
        """How many servers are done."""
        return sum(server.state is ServerState.DONE for server in self.servers)

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return max((server.batch for server in self.servers), default=0)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers of its servers, in their order."""
        return tuple(dict.fromkeys(server.tier for server in self.servers))

    @property
    def has_unfinished(self) -> bool:
        """Whether it has ended without all of its servers being done."""
        return self.state in ENDS and bool(self.servers) and self.done < len(self.servers)


def list_rollouts(
    board: BoardContext, viewer: PersonInfo | None, page: Keyset
) -> Slice[RolloutView]:
    """Return one page, newest first; `viewer` is `None` for the operator."""
    if viewer is not None:
        require_permission(viewer, "rollout.read")
    with board.database.reading() as session:
        query, column = select(Rollout.rollout_id), Rollout.rollout_id
        found = read_slice(session, query, column, page, key=lambda row: int(row[0]))
    views = tuple(get_rollout(board, viewer, row[0]) for row in found.rows)
    return Slice(views, found.newer, found.older)


def get_rollout(board: BoardContext, viewer: PersonInfo | None, number: int) -> RolloutView:
    """Return one rollout. Raises `NotFound` if there is none."""
    if viewer is not None:
        require_permission(viewer, "rollout.read")
    with board.database.reading() as session:
        row = session.get(Rollout, number)
        if row is None:
            raise NotFound(what=t("rollouts.number", number=number))
        names = display_names_of(session, [row.created_by])
        steps = steps_of(session, number)
        reports = _reports(session, steps)
        return RolloutView(
            number=number,
            title=row.title,
            sha256=row.sha256,
            artifact_id=row.artifact_id,
            state=RolloutState(row.state),
            reason=row.reason,
            options=Options.model_validate(row.options),
            sr_id=row.sr_id,
            created_by=names.get(row.created_by, row.created_by),
            created_at=row.created_at,
            position=log.snapshot_size(session),
            request=Request.model_validate(row.request) if row.request else None,
            left_out=row.findings.get("left_out", {}),
            running=row.findings.get("running"),
            servers=tuple(_server(one, reports) for one in steps),
        )


def _reports(session: Session, steps: Sequence[ServerSteps]) -> dict[int, str]:
    """Return by task what its agent said at the end of a step that is not done."""
    failed = [
        row.task_id
        for one in steps
        for rows, states in zip(one.rows, one.states, strict=True)
        for row, state in zip(rows, states, strict=True)
        if row.task_id is not None and state in _FAILED
    ]
    if not failed:
        return {}
    query = select(AuditEntry.task_id, AuditEntry.detail["text"].as_string()).where(
        AuditEntry.task_id.in_(failed), AuditEntry.kind.in_(_ENDINGS)
    )
    found = session.execute(query.order_by(AuditEntry.seq))
    return {task: (text or "").partition("\n")[0] for task, text in found}


def _server(steps: ServerSteps, reports: Mapping[int, str]) -> ServerView:
    one = steps.row
    own = (row.task_id or 0 for rows in steps.rows for row in rows)
    plan = Plan.model_validate(one.plan)
    return ServerView(
        server=one.server_id,
        service=one.service,
        tier=one.tier,
        batch=one.batch,
        state=steps.progress.state,
        plan=plan,
        hash=content_hash(plan),
        task_id=one.task_id,
        fronts=tuple(_fronts(steps)),
        why=next((reports[task] for task in own if reports.get(task)), ""),
    )


def _fronts(steps: ServerSteps) -> Iterator[FrontView]:
    for rows, states in zip(steps.rows, steps.states, strict=True):
        for row, state in zip(rows, states, strict=True):
            if isinstance(row, RolloutFront):
                plan = Plan.model_validate(row.plan)
                yield FrontView(
                    row.step, place_of(row), state, plan, content_hash(plan), row.task_id
                )


def files_of(board: BoardContext, store: BlobStore, one: RolloutView) -> RolloutFiles:
    """Compare the artefact of a rollout with the one that its first server runs."""
    calls = one.servers[0].plan.actions if one.servers else ()
    args = calls[-1].call.args if calls else {}
    with board.database.reading() as session:
        known = select(Artifact.name, Artifact.version, Artifact.sha256)
        digest = args.get("previous_sha256") or args.get("previous") or ""
        found = session.execute(known.where(Artifact.sha256 == digest).limit(1)).first()
        if found is None and one.artifact_id is not None:
            # Releases name what runs by its version.
            own = session.get_one(Artifact, one.artifact_id)
            same = known.where(Artifact.name == own.name, Artifact.version == digest)
            found = session.execute(same).first()
    if found is None and one.running is not None:
        against = t("rollouts.on_server", server=one.servers[0].server)
        return RolloutFiles(against, changes.compare_running(store, one.sha256, one.running))
    against = f"{found.name} {found.version}" if found else ""
    old = found.sha256 if found else None
    return RolloutFiles(against, changes.compare(store, one.sha256, old))
