"""Shapes of GitHub's objects.

Every key that GitHub's clients read is always present: PyGithub asks for the object again, one
request for each, if one is absent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer


def _utc(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[datetime, PlainSerializer(_utc, return_type=str)]
"""A time as GitHub writes it: UTC, to the second."""


class User(BaseModel):
    """A person, an agent or a channel."""

    login: str
    id: int
    node_id: str
    avatar_url: str
    gravatar_id: str = ""
    url: str
    html_url: str
    type: str
    site_admin: bool = False
    name: str | None = None
    email: str | None = None


class LabelBody(BaseModel):
    """A label."""

    id: int
    node_id: str
    url: str
    name: str
    color: str
    default: bool = False
    description: str | None = None


class ReactionCounts(BaseModel):
    """How many people reacted in which way."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    url: str
    total_count: int = 0
    plus: int = Field(0, alias="+1")
    minus: int = Field(0, alias="-1")
    laugh: int = 0
    hooray: int = 0
    confused: int = 0
    heart: int = 0
    rocket: int = 0
    eyes: int = 0


class BoardFields(BaseModel):
    """What the board knows of an issue beside GitHub's fields."""

    ref: str
    status: str
    kind: str | None
    category: str | None
    priority: str | None
    institution: str | None
    servers: list[str]
    agent: str | None
    due_on: str | None
    parent: int | None


class IssueBody(BaseModel):
    """An issue."""

    id: int
    node_id: str
    number: int
    url: str
    html_url: str
    repository_url: str
    labels_url: str
    comments_url: str
    events_url: str
    timeline_url: str
    title: str
    body: str | None
    user: User
    labels: list[LabelBody]
    state: str
    state_reason: str | None
    assignee: User | None
    assignees: list[User]
    milestone: None = None
    locked: bool
    active_lock_reason: str | None
    comments: int
    created_at: Time
    updated_at: Time
    closed_at: Time | None
    closed_by: User | None = None
    author_association: str
    pull_request: None = None
    draft: bool = False
    body_html: None = None
    body_text: None = None
    performed_via_github_app: None = None
    reactions: ReactionCounts
    score: float = 1.0
    guardia: BoardFields


class CommentBody(BaseModel):
    """A comment."""

    id: int
    node_id: str
    url: str
    html_url: str
    issue_url: str
    body: str
    user: User
    created_at: Time
    updated_at: Time
    author_association: str
    body_html: None = None
    body_text: None = None
    performed_via_github_app: None = None
    reactions: ReactionCounts


class ReactionBody(BaseModel):
    """A reaction."""

    id: int
    node_id: str
    user: User
    content: str
    created_at: Time


class RepositoryPermissions(BaseModel):
    """What the caller may do in a repository."""

    admin: bool
    maintain: bool
    push: bool
    triage: bool
    pull: bool


class RepositoryBody(BaseModel):
    """A repository: an institution, one of its servers, or everything that the caller may see."""

    id: int
    node_id: str
    name: str
    full_name: str
    owner: User
    private: bool = True
    html_url: str
    description: str | None
    fork: bool = False
    url: str
    issues_url: str
    labels_url: str
    default_branch: str = "main"
    has_issues: bool = True
    has_projects: bool = False
    has_wiki: bool = False
    archived: bool = False
    disabled: bool = False
    visibility: str = "private"
    open_issues: int
    open_issues_count: int
    permissions: RepositoryPermissions
    topics: list[str] = []
    language: None = None
    license: None = None
    size: int = 0
    stargazers_count: int = 0
    watchers_count: int = 0
    forks_count: int = 0
    created_at: None = None
    updated_at: None = None
    pushed_at: None = None


class SearchResult(BaseModel):
    """Found issues."""

    total_count: int
    incomplete_results: bool
    items: list[IssueBody]


class EventBody(BaseModel):
    """An event of an issue; further keys depend on the kind of event."""

    model_config = ConfigDict(extra="allow")

    id: int
    node_id: str
    url: str
    event: str
    actor: User
    created_at: Time
    commit_id: None = None
    commit_url: None = None


class RateBody(BaseModel):
    """Requests that a token may make a minute."""

    limit: int
    used: int
    remaining: int
    reset: int


class RateLimitBody(BaseModel):
    """The bound for this token."""

    resources: dict[str, RateBody]
    rate: RateBody
