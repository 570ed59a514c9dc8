"""What a triage has understood of a request that no agent can take: it stays with the issue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from guardia.board.core.model import Issue, Task


class Understanding(BaseModel):
    """The triage of a request that goes to people."""

    model_config = ConfigDict(frozen=True)

    kind: str
    category: str
    priority: str
    institution: str | None = None
    servers: tuple[str, ...] = ()
    action_type: str | None = None
    reasons: tuple[str, ...] = ()


def keep_understanding(issue: Issue, task: Task, understood: Understanding) -> None:
    """Write down what was understood; the requester's own institution stays."""
    issue.kind, issue.category = understood.kind, understood.category
    issue.priority = understood.priority
    issue.inst_id = issue.inst_id or understood.institution
    kept = {"servers": list(understood.servers), "reasons": list(understood.reasons)}
    issue.triage = {**issue.triage, **kept}
    task.action_type = task.action_type or understood.action_type
    if understood.servers:
        task.target_server = task.target_server or understood.servers[0]
