"""Rollouts that a page asks for: a worker reads the servers and makes their plans.

No page waits for a server. A server for which there is no plan is left out with the reason, so that
people see before the approval what the rollout does not reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from guardia.board.artifacts.model import Artifact
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.rollouts import drafts
from guardia.board.rollouts.drafts import ServerPlan
from guardia.board.rollouts.model import Rollout
from guardia.board.rollouts.moves import lock, move
from guardia.board.rollouts.policy import Options, RolloutState
from guardia.db import jobs
from guardia.db.engine import repeat_on_conflict
from guardia.errors import GuardiaError
from guardia.i18n import t_default
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Person

JOB = "plan_rollout"
_CLOCK = Actor.system("clock")
_Words = Annotated[str, StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class HealthTerms(BaseModel):
    """What each server must hold for a while after its change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: int = Field(default=10, ge=1, le=300)
    failed_percent: int = Field(default=0, ge=0, le=100)
    milliseconds: int = Field(default=3000, ge=1, le=600_000)
    body: _Words = ""


class Request(BaseModel):
    """The servers of a rollout, each with its service, and how they are planned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[tuple[str, str], ...]
    file: _Words = ""
    package: _Words = ""
    health: HealthTerms = HealthTerms()


@dataclass(frozen=True, slots=True)
class Asked:
    """A rollout whose plans a worker makes."""

    by: PersonInfo | None
    """Who asked; `None`: the account is closed."""
    artifact: Artifact
    request: Request


@repeat_on_conflict
def ask(
    board: BoardContext, person: PersonInfo, artifact_id: int, request: Request, options: Options
) -> int:
    """Ask for the plans of a rollout; return its number. Raises `Invalid` for its servers."""
    require_permission(person, "rollout.plan")
    servers = [server for server, _ in request.targets]
    drafts.require_servers(servers)
    now = board.clock()
    with board.database.transaction() as session:
        row = drafts.create(session, person, artifact_id, options, now)
        row.state, row.request = RolloutState.PLANNING.value, request.model_dump(mode="json")
        session.flush()
        jobs.defer(session, JOB, number=row.rollout_id)
        drafts.record(session, row, servers, now)
        return row.rollout_id


def asked(board: BoardContext, number: int) -> Asked | None:
    """Return what a worker is to plan, or `None` if the rollout waits for no plans."""
    with board.database.reading() as session:
        row = session.get(Rollout, number)
        if row is None or row.state != RolloutState.PLANNING or row.artifact_id is None:
            return None
        artifact = session.get_one(Artifact, row.artifact_id)
        return Asked(_person(session, row), artifact, Request.model_validate(row.request))


def _person(session: Session, row: Rollout) -> PersonInfo | None:
    actor = Actor.parse(row.created_by)
    found = session.get(Person, actor.id) if actor is not None else None
    return found.as_info() if found is not None and found.active else None


@repeat_on_conflict
def settle(
    board: BoardContext,
    number: int,
    plans: Sequence[ServerPlan],
    left_out: Mapping[str, str],
    running: Mapping[str, Any] | None = None,
) -> None:
    """Make a draft of the plans, or cancel the rollout if there is none.

    `left_out` says by server why it has none; `running` is what the first server runs.
    """
    now = board.clock()
    with board.database.transaction() as session:
        row = lock(session, number)
        if row.state != RolloutState.PLANNING:
            return
        row.findings = {"left_out": dict(left_out), "running": dict(running) if running else None}
        try:
            drafts.require_plans(plans)
        except GuardiaError as error:
            why = str(error) if plans else t_default("rollouts.why.no_plans")
            move(session, row, RolloutState.CANCELLED, _CLOCK, now, why)
            return
        row.category = plans[0].plan.category
        drafts.place(session, row, plans, Options.model_validate(row.options))
        why = t_default("rollouts.why.left_out", count=len(left_out)) if left_out else ""
        move(session, row, RolloutState.DRAFT, _CLOCK, now, why)
