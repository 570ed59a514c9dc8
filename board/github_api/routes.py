"""All routes of GitHub's dialect, and the permission of each.

Below an issue the use cases check the permission, after whether the issue is visible: what a caller
may not see answers 404, not 403.
"""

from __future__ import annotations

from guardia.board.github_api import (
    board_api,
    comment_api,
    issue_api,
    label_api,
    repository_api,
    search_api,
    timeline_api,
)

ROUTERS = (
    repository_api.router,
    issue_api.router,
    comment_api.router,
    label_api.router,
    timeline_api.router,
    search_api.router,
    board_api.router,
)
_REPO = "/api/v3/repos/{owner}/{repo}"
_ISSUE = f"{_REPO}/issues/{{number}}"
_COMMENT = f"{_REPO}/issues/comments/{{comment_id}}"

ROUTES: dict[tuple[str, str], str] = {
    ("GET", "/api/v3/approvals"): "issue.read",
    ("GET", "/api/v3/issues/{number}/tasks"): "issue.read",
    ("GET", "/api/v3/issues/{number}/directives"): "issue.read",
    ("POST", "/api/v3/issues/{number}/tasks/{task_id}/directives"): "issue.read",
    ("GET", "/api/v3/runs"): "run.read",
    ("GET", "/api/v3/agents"): "agent.read",
    ("GET", "/api/v3/servers"): "server.read",
    ("GET", "/api/v3/servers/{server_id}"): "server.read",
    ("GET", "/api/v3/audit"): "audit.read",
    ("GET", "/api/v3/audit/{seq}"): "audit.read",
    ("GET", "/api/v3/user"): "issue.read",
    ("GET", "/api/v3/users/{login}"): "issue.read",
    ("GET", "/api/v3/rate_limit"): "issue.read",
    ("GET", "/api/v3/user/repos"): "issue.read",
    ("GET", "/api/v3/repositories"): "issue.read",
    ("GET", "/api/v3/orgs/{owner}/repos"): "issue.read",
    ("GET", "/api/v3/issues"): "issue.read",
    ("GET", "/api/v3/search/issues"): "issue.read",
    ("GET", _REPO): "issue.read",
    ("GET", f"{_REPO}/assignees"): "issue.read",
    ("GET", f"{_REPO}/assignees/{{login}}"): "issue.read",
    ("GET", f"{_REPO}/pulls"): "issue.read",
    ("GET", f"{_REPO}/branches"): "issue.read",
    ("GET", f"{_REPO}/milestones"): "issue.read",
    ("GET", f"{_REPO}/issues"): "issue.read",
    ("POST", f"{_REPO}/issues"): "issue.create",
    ("GET", _ISSUE): "issue.read",
    ("PATCH", _ISSUE): "issue.read",
    ("POST", f"{_ISSUE}/assignees"): "issue.read",
    ("DELETE", f"{_ISSUE}/assignees"): "issue.read",
    ("PUT", f"{_ISSUE}/lock"): "issue.read",
    ("DELETE", f"{_ISSUE}/lock"): "issue.read",
    ("GET", f"{_ISSUE}/comments"): "issue.read",
    ("POST", f"{_ISSUE}/comments"): "issue.read",
    ("GET", _COMMENT): "issue.read",
    ("PATCH", _COMMENT): "issue.read",
    ("DELETE", _COMMENT): "issue.read",
    ("GET", f"{_ISSUE}/reactions"): "issue.read",
    ("POST", f"{_ISSUE}/reactions"): "issue.read",
    ("DELETE", f"{_ISSUE}/reactions/{{reaction_id}}"): "issue.read",
    ("GET", f"{_COMMENT}/reactions"): "issue.read",
    ("POST", f"{_COMMENT}/reactions"): "issue.read",
    ("DELETE", f"{_COMMENT}/reactions/{{reaction_id}}"): "issue.read",
    ("GET", f"{_REPO}/labels"): "issue.read",
    ("POST", f"{_REPO}/labels"): "issue.read",
    ("GET", f"{_REPO}/labels/{{name:path}}"): "issue.read",
    ("PATCH", f"{_REPO}/labels/{{name:path}}"): "issue.read",
    ("DELETE", f"{_REPO}/labels/{{name:path}}"): "issue.read",
    ("GET", f"{_ISSUE}/labels"): "issue.read",
    ("POST", f"{_ISSUE}/labels"): "issue.read",
    ("PUT", f"{_ISSUE}/labels"): "issue.read",
    ("DELETE", f"{_ISSUE}/labels"): "issue.read",
    ("DELETE", f"{_ISSUE}/labels/{{name:path}}"): "issue.read",
    ("GET", f"{_ISSUE}/timeline"): "issue.read",
    ("GET", f"{_ISSUE}/events"): "issue.read",
    ("GET", f"{_REPO}/issues/events/{{event_id}}"): "issue.read",
}
