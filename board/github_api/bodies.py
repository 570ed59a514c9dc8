"""What clients send: issues, comments, labels, locks and reactions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from guardia.board.issues.labels import MOST
from guardia.text import CLEANED, TRIMMED, VISIBLE, Body, CleanStr, Title

Login = Annotated[str, StringConstraints(max_length=64), CLEANED]
LabelText = Annotated[str, StringConstraints(max_length=100), TRIMMED]
State = Literal["open", "closed"]
Reason = Literal["completed", "not_planned", "duplicate", "reopened"]


class LabelName(BaseModel):
    """A label, named in an object."""

    name: LabelText


LabelNames = Annotated[list[LabelText | LabelName], Field(max_length=MOST)]
Logins = Annotated[list[Login], Field(max_length=10)]


class _IssueFields(BaseModel):
    body: Body | None = None
    labels: LabelNames | None = None
    assignees: Logins | None = None
    assignee: Login | None = None
    milestone: Annotated[int | CleanStr | None, Field(description="Not kept: there are none")] = (
        None
    )

    @property
    def label_names(self) -> list[str] | None:
        """The names of the labels, or `None` if the client sent none."""
        return None if self.labels is None else names_of(self.labels)

    @property
    def logins(self) -> list[str] | None:
        """The assignees, or `None` if the client sent none."""
        if self.assignees is not None:
            return self.assignees
        if "assignee" not in self.model_fields_set:
            return None
        return [self.assignee] if self.assignee else []


class NewIssueBody(_IssueFields):
    """An issue to open."""

    title: Annotated[Title, VISIBLE]


class IssueChangeBody(_IssueFields):
    """What to change of an issue; keys that are absent stay as they are."""

    title: Annotated[Title, VISIBLE] | None = None
    state: State | None = None
    state_reason: Reason | None = None


class CommentText(BaseModel):
    """The text of a comment, in Markdown."""

    body: Annotated[Body, VISIBLE]


class LabelList(BaseModel):
    """Labels of an issue."""

    labels: LabelNames = []


class AssigneeList(BaseModel):
    """Assignees of an issue."""

    assignees: Logins = []


class NewLabel(BaseModel):
    """A label to create."""

    name: Annotated[LabelText, VISIBLE]
    color: Annotated[str, StringConstraints(max_length=7)] = "8a8f98"
    description: Annotated[str, StringConstraints(max_length=200), TRIMMED] | None = None


class LabelChange(BaseModel):
    """What to change of a label."""

    new_name: Annotated[LabelText, VISIBLE] | None = None
    name: Annotated[LabelText, VISIBLE] | None = None
    color: Annotated[str, StringConstraints(max_length=7)] | None = None
    description: Annotated[str, StringConstraints(max_length=200), TRIMMED] | None = None


class LockRequest(BaseModel):
    """Why a conversation is locked."""

    lock_reason: Literal["off-topic", "too heated", "resolved", "spam"] | None = None


class NewReaction(BaseModel):
    """A reaction."""

    content: Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]


def names_of(given: list[str | LabelName]) -> list[str]:
    """Return the names of labels, however they were written; empty ones are left out."""
    names = [one if isinstance(one, str) else one.name for one in given]
    return [name for name in names if name]
