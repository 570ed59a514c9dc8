"""What a triage has understood of a request: it stays with the issue, for agents and people."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from guardia.board.core.model import Issue, Task


class Understanding(BaseModel):
    """The triage of a request."""

    model_config = ConfigDict(frozen=True)

    kind: str
    category: str
    priority: str
    institution: str | None = None
    servers: tuple[str, ...] = ()
    action_type: str | None = None
    reasons: tuple[str, ...] = ()
    confidence: str = ""
    """`high`, `medium` or `low`: for how many fields the text had evidence."""
    unsure: tuple[str, ...] = ()
    """The fields for which it had none."""
    symptoms: tuple[str, ...] = ()
    """What is wrong now: `down`, `slow`, `error` …"""

    def as_kept(self) -> dict[str, Any]:
        """Return what is kept with the issue beside its own columns."""
        return {
            "servers": list(self.servers),
            "reasons": list(self.reasons),
            "action_type": self.action_type,
            "confidence": self.confidence,
            "unsure": list(self.unsure),
            "symptoms": list(self.symptoms),
        }


def keep_understanding(issue: Issue, task: Task, understood: Understanding) -> None:
    """Write down what was understood; the requester's own institution stays."""
    issue.kind, issue.category = understood.kind, understood.category
    issue.priority = understood.priority
    issue.inst_id = issue.inst_id or understood.institution
    issue.triage = {**issue.triage, **understood.as_kept()}
    task.action_type = task.action_type or understood.action_type
    if understood.servers:
        task.target_server = task.target_server or understood.servers[0]
