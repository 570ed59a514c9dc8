"""The facts that a template may name, by kind of paper. Pure."""

from __future__ import annotations

from types import MappingProxyType

from guardia.board.papers.paper import PaperKind

_MADE = frozenset({"made_at", "made_by", "institution"})
_ISSUE = _MADE | {
    "number",
    "title",
    "kind",
    "category",
    "priority",
    "state",
    "body",
    "channel",
    "requester",
    "requested_at",
    "engineer",
    "agent",
    "due_on",
    "closed_at",
    "servers",
    "services",
}
_PLAN = frozenset(
    {
        "cause",
        "basis",
        "planned_at",
        "plan_version",
        "plan_hash",
        "author",
        "impact",
        "reversible",
        "risk",
        "policy",
        "prechecks",
        "verification",
        "rollback_when",
        "irreversible",
        "backup",
        "conflicts",
        "exceptions",
    }
)
_ENDED = frozenset(
    {"started_at", "ended_at", "took", "result", "actions", "outcome", "evidence", "service"}
)
_INCIDENT = frozenset(
    {
        "occurred_at",
        "detected_at",
        "received_at",
        "acted_at",
        "recovered_at",
        "down_for",
        "recovered_in",
        "detected_by",
    }
)
_MONTH = _MADE | {
    "month",
    "received",
    "completed",
    "open",
    "unsuccessful",
    "incidents",
    "changes",
    "alerts",
    "servers",
    "kept",
    "broken",
    "rate",
    "satisfaction",
    "answers",
}
_INSPECTION = _MADE | {
    "server",
    "kind",
    "services",
    "group",
    "system",
    "open_issues",
    "alerts",
    "last_change",
    "inspected_at",
    "month",
    "load",
    "memory",
    "disk",
    "processes",
    "backup",
    "certificate",
    "patches",
    "locks",
    "clock",
    "replication",
}

_STEP = frozenset(
    {"no", "server", "step", "command", "risk", "undo", "precheck", "check", "difference"}
)
_APPROVAL = frozenset({"step", "role", "person", "verdict", "at", "reason"})
_CONTACT = frozenset({"duty", "name"})
_RUN = frozenset({"no", "at", "server", "step", "command", "phase", "result", "seconds"})
_MEASURE = frozenset({"at", "who", "what"})
_LEVEL = frozenset({"clock", "priority", "kept", "broken", "overdue", "rate"})
_REQUEST = frozenset(
    {"number", "title", "kind", "priority", "state", "received_at", "closed_at", "took", "engineer"}
)
_CHANGE = frozenset({"number", "title", "server", "policy", "at", "result"})
_KIND = frozenset({"kind", "received", "completed", "open"})

VALUES: MappingProxyType[PaperKind, frozenset[str]] = MappingProxyType(
    {
        "work_plan": _ISSUE | _PLAN,
        "work_result": _ISSUE | _PLAN | _ENDED,
        "incident": _ISSUE | _PLAN | _ENDED | _INCIDENT,
        "inspection": _INSPECTION,
        "month": _MONTH,
    }
)
"""Values of fields."""

_PLANNED = {"steps": _STEP, "approvals": _APPROVAL, "contacts": _CONTACT}
_CARRIED_OUT = {**_PLANNED, "runs": _RUN, "measures": _MEASURE}
LISTS: MappingProxyType[PaperKind, dict[str, frozenset[str]]] = MappingProxyType(
    {
        "work_plan": _PLANNED,
        "work_result": _CARRIED_OUT,
        "incident": _CARRIED_OUT,
        "inspection": {"requests": _REQUEST, "changes": _CHANGE},
        "month": {
            "kinds": _KIND,
            "levels": _LEVEL,
            "incident_list": _REQUEST,
            "change_list": _CHANGE,
            "open_list": _REQUEST,
            "planned": _CHANGE,
        },
    }
)
"""Lists for tables, with the values of their columns."""
