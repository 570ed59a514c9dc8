"""The port of the inbox: what waits for a person, and the sources that know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy.orm import Session

from guardia.org.directory import PersonInfo

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One thing that waits for a person."""

    kind: str
    """Name of its text, `home.kind.<kind>`."""
    path: str
    """Page on which the person deals with it."""
    title: str
    since: datetime
    sr_id: int | None = None
    detail: str = ""
    priority: str | None = None
    due: datetime | None = None

    def urgency(self) -> tuple[str, datetime, datetime]:
        """Return what the inbox is sorted by: priority, time limit, age."""
        return (self.priority or "P3", self.due or _LAST, self.since)


Found = tuple[list[InboxItem], int]
"""The most urgent items, and how many there are in all."""


class InboxSource(Protocol):
    """A kind of things that wait for people."""

    @property
    def kind(self) -> str:
        """Name of its text, `home.kind.<kind>`."""

    @property
    def permission(self) -> str:
        """The permission without which nothing of it is read."""

    def read(self, session: Session, viewer: PersonInfo, now: datetime) -> Found:
        """Return what waits for a person."""
