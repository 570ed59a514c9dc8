"""Assign a request: the dispatcher's triage, one task per server, and the specialist's wake."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from guardia.board.assignment import proposals
from guardia.board.assignment.proposals import Chosen
from guardia.board.assignment.understanding import Understanding, keep_understanding
from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.claims import Claim, claimed_task
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import log_label
from guardia.board.core.lifecycle import ActorKind, Move, State
from guardia.board.core.lookup import get_issue
from guardia.board.core.transitions import move_task, update_issue_state
from guardia.board.core.wake_reasons import WakeReason
from guardia.board.core.wakes import wake
from guardia.board.issues.receiving import open_task
from guardia.board.organization import agent_memory, handover
from guardia.db.engine import repeat_on_conflict
from guardia.db.entities import write_pending
from guardia.i18n import t_default


@dataclass(frozen=True, slots=True)
class Assignment:
    """The dispatcher's triage of a request, with its reasons."""

    kind: str
    category: str
    priority: str
    institution: str | None
    servers: tuple[str, ...]
    action_type: str | None
    agent_id: str
    engineer_id: str | None
    reasons: tuple[str, ...]
    confidence: str = ""
    unsure: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    """The agent and the engineer with their scores."""

    @property
    def understood(self) -> Understanding:
        """The triage alone."""
        names = Understanding.model_fields.keys()
        return Understanding(**{name: getattr(self, name) for name in names})


@repeat_on_conflict
def file_triage(board: BoardContext, claim: Claim, assignment: Assignment) -> None:
    """File the triage (RECEIVED -> PARSED), one task per server, and wake the specialist."""
    now = board.clock()
    with board.database.transaction() as session:
        title = handover.require_assignable(session, assignment.agent_id)
        task = claimed_task(session, claim)
        issue = get_issue(session, claim.sr_id)
        # The requester's own institution decides who sees it: no reading of a text replaces it.
        keep_understanding(issue, task, assignment.understood)
        issue.triage = {name: kept for name, kept in issue.triage.items() if name != "talk"}
        # Keep an assignee whom a person has chosen since the triage began.
        engineer = issue.assignee_id or assignment.engineer_id
        issue.agent_id, issue.assignee_id = assignment.agent_id, engineer
        write_pending(session, issue)
        proposals.record_delegation(session, issue.sr_id, assignment.chosen, claim.actor, now)
        move_task(
            session,
            task,
            Move.PARSE,
            actor=ActorKind.AGENT,
            now=now,
            run_id=None,
            target_server=assignment.servers[0] if assignment.servers else None,
            agent_id=assignment.agent_id,
            owner_id=engineer,
            action_type=assignment.action_type,
        )
        for server in assignment.servers[1:]:
            open_task(
                session,
                claim.sr_id,
                now,
                state=State.PARSED,
                server=server,
                agent_id=assignment.agent_id,
                engineer_id=engineer,
                action_type=assignment.action_type,
            )
        if len(assignment.servers) > 1:
            session.flush()
            update_issue_state(session, claim.sr_id, now)
        note = t_default("notes.delegated", reasons=" ".join(assignment.reasons))
        agents = claim.agent_id, assignment.agent_id
        agent_memory.hand_over_notes(session, claim.sr_id, *agents, claim.actor, note, now)
        wake(
            session,
            assignment.agent_id,
            WakeReason.ASSIGNMENT,
            now,
            claim.sr_id,
            cause={"task": claim.task_id},
            by=claim.actor,
        )
        log.append(
            session,
            EntryKind.PARSED,
            actor=str(claim.actor),
            now=now,
            sr_id=claim.sr_id,
            task_id=claim.task_id,
            detail={
                "kind": assignment.kind,
                "category": assignment.category,
                "priority": assignment.priority,
                "servers": list(assignment.servers),
                "action_type": assignment.action_type,
                "agent": assignment.agent_id,
                "engineer": assignment.engineer_id,
                "reasons": list(assignment.reasons),
                "confidence": assignment.confidence,
                "scores": [asdict(one) for one in assignment.chosen],
            },
            kind_name=log_label("triage.kind", assignment.kind),
            category=log_label("triage.category", assignment.category),
            priority=assignment.priority,
            agent=title,
        )
