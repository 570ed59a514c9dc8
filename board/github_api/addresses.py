"""Addresses in answers: on the host by which the client came, since it follows no others."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from guardia.board.github_api.repositories import Repository

PREFIX = "/api/v3"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of resources and of their pages."""

    origin: str

    @property
    def api(self) -> str:
        """The base address of the API, without a slash at the end."""
        return f"{self.origin}{PREFIX}"

    def repository(self, found: Repository) -> str:
        """Return the address of a repository."""
        return f"{self.api}/repos/{_quoted(found.owner)}/{_quoted(found.name)}"

    def issue(self, found: Repository, number: int) -> str:
        """Return the address of an issue in a repository."""
        return f"{self.repository(found)}/issues/{number}"

    def comment(self, found: Repository, number: int) -> str:
        """Return the address of a comment."""
        return f"{self.repository(found)}/issues/comments/{number}"

    def label(self, found: Repository, name: str) -> str:
        """Return the address of a label."""
        return f"{self.repository(found)}/labels/{_quoted(name)}"

    def user(self, login: str) -> str:
        """Return the address of a person or an agent."""
        return f"{self.api}/users/{_quoted(login)}"

    def page(self, path: str) -> str:
        """Return the address of a page or file of the board."""
        return f"{self.origin}{path}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
