"""Draft a rollout, reorder it, file it for approval, and cancel it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from guardia.board.artifacts import records
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core import bundle
from guardia.board.core.actors import Actor
from guardia.board.core.bundle import BundledPlan
from guardia.board.core.context import BoardContext
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.model import Task
from guardia.board.core.plan import Plan
from guardia.board.core.transitions import move_task, update_issue_state
from guardia.board.execution import bundles
from guardia.board.issues.receiving import NewIssue, open_issue, open_task
from guardia.board.rollouts import rulings
from guardia.board.rollouts.model import Rollout, RolloutFront, RolloutServer
from guardia.board.rollouts.moves import lock, move
from guardia.board.rollouts.policy import Options, RolloutState, ServerState, assign_batches
from guardia.board.rollouts.server_steps import StepRow, ordered_steps, servers_of, steps_of
from guardia.db.engine import repeat_on_conflict
from guardia.errors import IllegalMove, Invalid, Refused
from guardia.i18n import t, t_default
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo

CHANNEL = "rollout"
MAX_SERVERS = 500


@dataclass(frozen=True, slots=True)
class FrontPlan:
    """The plans for a load balancer on another server: take a server out, and put it back."""

    service: str
    """The service that the load balancer is."""
    out: Plan
    back: Plan


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """The plan for one server of a rollout."""

    service: str
    plan: Plan
    fronts: tuple[FrontPlan, ...] = ()


@repeat_on_conflict
def draft(
    board: BoardContext,
    person: PersonInfo,
    artifact_id: int,
    plans: Sequence[ServerPlan],
    options: Options,
) -> int:
    """Draft a rollout of an artefact; return its number. Nothing runs before it is approved.

    Raises `Refused` for a plan that cannot be undone, `Invalid` for none or too many servers.
    """
    require_permission(person, "rollout.plan")
    require_plans(plans)
    now = board.clock()
    with board.database.transaction() as session:
        row = create(session, person, artifact_id, options, now)
        row.category = plans[0].plan.category
        place(session, row, plans, options)
        record(session, row, [one.plan.server for one in plans], now)
        return row.rollout_id


def create(
    session: Session, person: PersonInfo, artifact_id: int, options: Options, now: datetime
) -> Rollout:
    """Create a draft without servers, which keeps its artefact."""
    artifact = records.lock(session, artifact_id)
    row = Rollout(
        artifact_id=artifact_id,
        title=f"{artifact.name} {artifact.version}",
        sha256=artifact.sha256,
        category="",
        state=RolloutState.DRAFT.value,
        options=options.model_dump(mode="json"),
        created_by=str(Actor.of(person)),
        created_at=now,
    )
    session.add(row)
    session.flush()
    records.hold(session, artifact_id, holder(row.rollout_id))
    return row


def record(session: Session, row: Rollout, servers: Sequence[str], now: datetime) -> None:
    """Record a new rollout; call it last in a transaction."""
    log.append(
        session,
        EntryKind.ROLLOUT_DRAFTED,
        actor=row.created_by,
        now=now,
        detail={
            "rollout": row.rollout_id,
            "artifact": row.artifact_id,
            "sha256": row.sha256,
            "options": row.options,
            "servers": list(servers),
        },
        number=row.rollout_id,
        title=row.title,
        count=len(servers),
    )


def holder(number: int) -> str:
    """Return the name under which a rollout keeps its artefact."""
    return f"rollout:{number}"


def require_servers(servers: Sequence[str]) -> None:
    """Raise `Invalid` for no servers, too many, or one twice."""
    if not 0 < len(servers) <= MAX_SERVERS or len(set(servers)) != len(servers):
        why = t("rollouts.how_many", most=MAX_SERVERS)
        raise Invalid(what=t("rollouts.servers"), why=why, field="targets")


def require_plans(plans: Sequence[ServerPlan]) -> None:
    """Raise `Refused` for plans that cannot be rolled out together, or cannot be undone."""
    require_servers([one.plan.server for one in plans])
    every = [found for one in plans for found in (one.plan, *_front_plans(one))]
    if len({plan.category for plan in every}) != 1:
        raise Refused(why=t("rollouts.one_category"))
    for plan in every:
        if plan.irreversible or not plan.actions:
            raise Refused(why=t("rollouts.irreversible", server=plan.server))


def _front_plans(one: ServerPlan) -> list[Plan]:
    return [plan for front in one.fronts for plan in (front.out, front.back)]


def place(session: Session, row: Rollout, plans: Sequence[ServerPlan], options: Options) -> None:
    """Store the servers of a rollout in their order."""
    by_server = {one.plan.server: one for one in plans}
    kinds = [(name, registry.host(session, name).kind) for name in by_server]
    for ordinal, (server, tier, batch) in enumerate(assign_batches(kinds, options)):
        one = by_server[server]
        session.add(
            RolloutServer(
                rollout_id=row.rollout_id,
                server_id=server,
                service=one.service,
                tier=tier,
                ordinal=ordinal,
                batch=batch,
                plan=one.plan.model_dump(mode="json"),
            )
        )
    session.flush()
    for one in plans:
        _place_fronts(session, row, one)
    session.flush()


def _place_fronts(session: Session, row: Rollout, one: ServerPlan) -> None:
    steps = [("out", front.service, front.out) for front in one.fronts]
    steps += [("back", front.service, front.back) for front in one.fronts]
    for ordinal, (step, service, plan) in enumerate(steps):
        session.add(
            RolloutFront(
                rollout_id=row.rollout_id,
                server_id=one.plan.server,
                ordinal=ordinal,
                step=step,
                front_id=plan.server,
                service=service,
                plan=plan.model_dump(mode="json"),
            )
        )


@repeat_on_conflict
def reorder(board: BoardContext, person: PersonInfo, number: int, options: Options) -> None:
    """Change the order of tiers, the batches and the rules of a draft."""
    require_permission(person, "rollout.plan")
    now = board.clock()
    with board.database.transaction() as session:
        row = lock(session, number)
        if row.state != RolloutState.DRAFT:
            raise IllegalMove(state=t(f"rollouts.state.{row.state}"), move=t("rollouts.reorder"))
        row.options = options.model_dump(mode="json")
        servers = {s.server_id: s for s in servers_of(session, number)}
        order = assign_batches([(s.server_id, s.tier) for s in servers.values()], options)
        for ordinal, (server, _, batch) in enumerate(order):
            servers[server].ordinal, servers[server].batch = ordinal, batch
        session.flush()
        log.append(
            session,
            EntryKind.ROLLOUT_CHANGED,
            actor=str(Actor.of(person)),
            now=now,
            detail={"rollout": number, "options": row.options},
            number=number,
            title=row.title,
        )


@repeat_on_conflict
def submit(board: BoardContext, person: PersonInfo, number: int, exception: str = "") -> int:
    """File the root plan of a draft and request its approvals; return the issue's number.

    `exception` is the reason to ask for exceptions from the rules of the site that the plans break.
    Raises `RuleBroken` if they break one and there is no reason.
    """
    require_permission(person, "rollout.plan")
    if exception:
        require_permission(person, "directive.force")
    board.sign_checkpoint()
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        row = lock(session, number)
        servers = servers_of(session, number)
        if row.state != RolloutState.DRAFT:
            word = t(f"rollouts.state.{row.state}")
            raise IllegalMove(state=word, move=t("rollouts.submit"))
        exceptions = rulings.require_kept(session, board.planner, number, exception, now)
        text = t_default("rollouts.because", title=row.title, count=len(servers))
        new = NewIssue(
            text=text,
            title=text,
            channel=CHANNEL,
            sender=person.name,
            requester_id=person.id,
            institution=_institution(session, servers),
            kind="CHANGE",
            triage={"servers": [s.server_id for s in servers]},
        )
        issue = open_issue(session, new, now)
        task = open_task(session, issue.sr_id, now, state=State.PARSED)
        update_issue_state(session, issue.sr_id, now)
        row.sr_id, row.root_task_id = issue.sr_id, task.task_id
        session.flush()
        log.append(
            session,
            EntryKind.RECEIVED,
            actor=str(by),
            now=now,
            sr_id=issue.sr_id,
            task_id=task.task_id,
            detail={"title": issue.title, "body": issue.body, "rollout": number},
            sr=issue.sr_id,
            channel=CHANNEL,
            who=person.name,
        )
        listed = passage(session, row)
        root = bundle.root_plan(row.category, row.title, text, listed, exceptions)
        bundles.store_root(session, issue, task, root, by, now)
        move(session, row, RolloutState.PENDING, by, now, "")
        return issue.sr_id


def _institution(session: Session, servers: Sequence[RolloutServer]) -> str | None:
    """Return the institution of the servers, or `None` if they belong to several."""
    found = {registry.host(session, s.server_id).institution for s in servers}
    return found.pop() if len(found) == 1 else None


@repeat_on_conflict
def cancel(board: BoardContext, person: PersonInfo, number: int, reason: str) -> None:
    """Cancel a rollout that has changed nothing yet, or one that is paused."""
    require_permission(person, "rollout.run")
    now, by = board.clock(), Actor.of(person)
    with board.database.transaction() as session:
        row = lock(session, number)
        if row.state == RolloutState.RUNNING:
            word = t(f"rollouts.state.{row.state}")
            raise IllegalMove(state=word, move=t("rollouts.cancel"))
        _require_traffic(session, number)
        root = session.get(Task, row.root_task_id) if row.root_task_id else None
        if root is not None and root.status in {State.PENDING_APPROVAL, State.APPROVED}:
            move_task(session, root, Move.ABORT, actor=ActorKind.PERSON, now=now)
        move(session, row, RolloutState.CANCELLED, by, now, reason)


def _require_traffic(session: Session, number: int) -> None:
    """Raise `Refused` while a server is out of a load balancer and will be put back."""
    busy = {ServerState.RUNNING, ServerState.UNDOING}
    for one in steps_of(session, number):
        if len(one.rows) > 1 and one.progress.state in busy:
            raise Refused(why=t("rollouts.still_out", server=one.row.server_id))


def passage(session: Session, row: Rollout) -> str:
    """Return the text to which the approval of a rollout is bound, from its rows as they are now.

    It names the artefact by its digest, the rules, and the plan of each server in its order.
    """
    options = Options.model_validate(row.options)
    terms = (
        f"artifact {row.title} {row.sha256}",
        f"on_failure {options.on_failure}",
        f"on_interruption {options.on_interruption}",
        f"canary {options.canary} {options.pause_after_canary}",
    )
    plans = [_bundled(batch, one) for batch, one in ordered_steps(session, row.rollout_id)]
    return bundle.passage_of(terms, plans)


def _bundled(batch: int, one: StepRow) -> BundledPlan:
    return BundledPlan(batch, one.service, Plan.model_validate(one.plan))
