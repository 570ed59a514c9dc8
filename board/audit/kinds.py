"""Kinds of audit entries. Stored in the log and in exports: never rename a value."""

from __future__ import annotations

from enum import StrEnum


class EntryKind(StrEnum):
    """Subject of an audit entry. Its sentence is `audit.<value>` in the catalogue."""

    # Requests and tasks
    RECEIVED = "received"
    PARSED = "parsed"
    COMMENT = "comment"
    OFFERED = "offered"
    INTAKE_LIMITED = "intake_limited"
    INTAKE_RESUMED = "intake_resumed"
    ALERT_JOINED = "alert_joined"
    ALERT_SILENCED = "alert_silenced"
    ALERT_RESOLVED = "alert_resolved"
    ALERT_CLOSED = "alert_closed"
    ALERT_REOPENED = "alert_reopened"
    ALERT_STORM = "alert_storm"
    ALERTS_OMITTED = "alerts_omitted"
    MAINTENANCE_DECLARED = "maintenance_declared"
    MAINTENANCE_ENDED = "maintenance_ended"
    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    HANDED_OVER = "handed_over"
    PASSED_ON = "passed_on"
    HANDED_ON = "handed_on"
    STALLED = "stalled"
    STALL_LIFTED = "stall_lifted"
    TIMED_OUT = "timed_out"
    REOPENED = "reopened"
    ACCEPTED = "accepted"
    ACCEPTANCE_LAPSED = "acceptance_lapsed"
    ACCEPTANCE_ESCALATED = "acceptance_escalated"
    SERVER_WAITED = "server_waited"

    # Texts and order of issues
    ISSUE_EDITED = "issue_edited"
    COMMENT_EDITED = "comment_edited"
    COMMENT_DELETED = "comment_deleted"
    ISSUE_LOCKED = "issue_locked"
    ISSUE_UNLOCKED = "issue_unlocked"
    ISSUE_FOLLOWED = "issue_followed"
    REACTED = "reacted"
    REACTION_REMOVED = "reaction_removed"
    LABELED = "labeled"
    LABEL_CREATED = "label_created"
    LABEL_CHANGED = "label_changed"
    LABEL_REMOVED = "label_removed"
    PARENT_SET = "parent_set"
    CHILD_MOVED = "child_moved"
    DUE_SET = "due_set"
    SERVER_SET = "server_set"
    ATTACHED = "attached"

    # Who has an issue
    ASSIGNMENT_PROPOSED = "assignment_proposed"
    ASSIGNMENT_ACCEPTED = "assignment_accepted"
    ASSIGNMENT_DECLINED = "assignment_declined"
    ASSIGNMENT_LAPSED = "assignment_lapsed"
    ISSUE_QUEUED = "issue_queued"
    ISSUE_ASSIGNED = "issue_assigned"
    REPORT_LINKED = "report_linked"
    REPORT_UNLINKED = "report_unlinked"
    REPORT_ENDED = "report_ended"
    QUESTION_ASKED = "question_asked"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_UNCLEAR = "question_unclear"
    QUESTION_ENDED = "question_ended"

    # Plans and approvals
    PLANNED = "planned"
    WAIVED = "waived"
    OBSERVED = "observed"
    APPROVED = "approved"
    REJECTED = "rejected"
    CHANGES_ASKED = "changes_asked"
    PLAN_CHECKED = "plan_checked"
    APPROVAL_ESCALATED = "approval_escalated"
    APPROVAL_EXPIRED = "approval_expired"
    STANDING_PROPOSED = "standing_proposed"
    STANDING_TERMS = "standing_terms"
    STANDING_DECIDED = "standing_decided"
    STANDING_USED = "standing_used"
    STANDING_ENDED = "standing_ended"
    DELEGATED = "delegated"
    DELEGATION_REVOKED = "delegation_revoked"

    # Remote commands
    INTENT = "intent"
    RESULT = "result"
    RESULT_FAILED = "result_failed"
    FOUND_DONE = "found_done"
    FOUND_UNKNOWN = "found_unknown"
    INSPECTION = "inspection"
    INSPECTED = "inspected"
    INSPECTION_FAILED = "inspection_failed"

    # Directives and the kill switch
    ORDERED = "ordered"
    UNDONE = "undone"
    NOT_RESTORED = "not_restored"
    KILLED = "killed"
    RELEASED = "released"
    KILL_REPORT = "kill_report"
    ESCALATED = "escalated"
    COMMANDED = "commanded"
    COMMAND_ENDED = "command_ended"

    # Institutions and servers
    INSTITUTION_ADDED = "institution_added"
    INSTITUTION_CHANGED = "institution_changed"
    INSTITUTION_REMOVED = "institution_removed"
    SERVER_ENROLLED = "server_enrolled"
    SERVER_CHANGED = "server_changed"
    SERVER_REMOVED = "server_removed"
    HOST_KEY_CHANGED = "host_key_changed"
    HOST_KEY_CONFIRMED = "host_key_confirmed"
    CREDENTIAL_STORED = "credential_stored"
    CREDENTIAL_REMOVED = "credential_removed"

    # The audit log itself
    VERIFIED = "verified"
    VERIFIED_DAILY = "verified_daily"
    BROKEN = "broken"
    REPORT_MISSING = "report_missing"
    COPY_FAILED = "copy_failed"
    WITNESS_LOST = "witness_lost"
    KEY_ROTATED = "key_rotated"
    KEY_SUCCEEDED = "key_succeeded"

    # Organization and agents
    ORG_APPLIED = "org_applied"
    AGENT_PAUSED = "agent_paused"
    AGENT_RESUMED = "agent_resumed"
    LESSON_LEARNED = "lesson_learned"
    NOTE_WRITTEN = "note_written"
    NOTE_EDITED = "note_edited"
    NOTE_STRUCK = "note_struck"
    NOTE_RESTORED = "note_restored"
    OUTSIDE_OPENED = "outside_opened"
    OUTSIDE_REFUSED = "outside_refused"
    OUTSIDE_ENDED = "outside_ended"
    HIRE_REQUESTED = "hire_requested"
    HIRE_APPROVED = "hire_approved"
    HIRE_REJECTED = "hire_rejected"
    HIRE_AWAITED = "hire_awaited"

    # Rules of the site
    RULE_ADDED = "rule_added"
    RULE_CHANGED = "rule_changed"
    RULE_PROPOSED = "rule_proposed"
    RULE_REMOVED = "rule_removed"
    RULE_REJECTED = "rule_rejected"

    # Pages
    HOME_CHANGED = "home_changed"
    ISSUE_VIEW_CHANGED = "issue_view_changed"

    # Service levels and what customers say
    CALENDAR_CHANGED = "calendar_changed"
    SERVICE_WARNED = "service_warned"
    SERVICE_BROKEN = "service_broken"
    SERVICE_ESCALATED = "service_escalated"
    SATISFACTION_GIVEN = "satisfaction_given"
    NOT_RESOLVED = "not_resolved"
    REQUEST_FILED = "request_filed"
    REQUEST_FORMS_APPLIED = "request_forms_applied"
    CALENDAR_FEED_CHANGED = "calendar_feed_changed"

    # Goals
    GOAL_GIVEN = "goal_given"
    GOAL_PLANNED = "goal_planned"
    GOAL_ASKED = "goal_asked"
    GOAL_ANSWERED = "goal_answered"
    GOAL_APPROVED = "goal_approved"
    GOAL_ACHIEVED = "goal_achieved"
    GOAL_DROPPED = "goal_dropped"

    # Artefacts and rollouts
    ARTIFACT_ADDED = "artifact_added"
    ARTIFACT_REMOVED = "artifact_removed"
    BUNDLED = "bundled"
    ROLLOUT_DRAFTED = "rollout_drafted"
    ROLLOUT_CHANGED = "rollout_changed"
    ROLLOUT_MOVED = "rollout_moved"

    # Documents
    DOCUMENT_ADDED = "document_added"
    DOCUMENT_CHANGED = "document_changed"
    DOCUMENT_VERSION_ADDED = "document_version_added"
    DOCUMENT_SUBMITTED = "document_submitted"
    DOCUMENT_PUBLISHED = "document_published"
    DOCUMENT_REJECTED = "document_rejected"
    DOCUMENT_REMOVED = "document_removed"

    # Servers, and who is responsible for them
    CMDB_CHANGED = "cmdb_changed"
    HOST_KEYS_CONFIRMED = "host_keys_confirmed"
    ABSENCE_SET = "absence_set"

    # Notifications
    ON_CALL_CALLED = "on_call_called"
    ON_CALL_ACKNOWLEDGED = "on_call_acknowledged"
    NOTICE_PREFERENCE_SET = "notice_preference_set"

    # Webhooks
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_REMOVED = "webhook_removed"
    WEBHOOK_PINGED = "webhook_pinged"
    WEBHOOK_REDELIVERED = "webhook_redelivered"
    WEBHOOK_DISABLED = "webhook_disabled"

    # Costs
    MODEL_ASKED = "model_asked"
    BUDGET_WARNED = "budget_warned"
    BUDGET_EXHAUSTED = "budget_exhausted"
    BUDGET_PAUSED = "budget_paused"
    BUDGET_RAISED = "budget_raised"
    BUDGET_RENEWED = "budget_renewed"

    # People
    PERSON_ADDED = "person_added"
    PERSON_CHANGED = "person_changed"
    PASSKEY_REGISTERED = "passkey_registered"
    PASSKEY_RENAMED = "passkey_renamed"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_CLONED = "passkey_cloned"
    ACCOUNT_LINKED = "account_linked"
    ACCOUNT_UNLINKED = "account_unlinked"
    TOKEN_ISSUED = "token_issued"
    TOKEN_REVOKED = "token_revoked"
