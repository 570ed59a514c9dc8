"""The port of dashboard cards: one figure or list, shown with its permission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guardia.board.core.context import BoardContext
from guardia.org.directory import PersonInfo


class Card(Protocol):
    """What a page shows in one place; see "What adding costs" in CONTRIBUTING.md."""

    @property
    def name(self) -> str:
        """Name of its texts, `dashboard.<name>`, with at least a `title`."""

    @property
    def permission(self) -> str:
        """The permission without which it is neither read nor shown."""

    @property
    def template(self) -> str:
        """The part that shows it, as `render.part` takes it: `dashboard/<name>`."""

    def read(self, board: BoardContext, person: PersonInfo) -> object:
        """Return what the template shows as `card`, limited to what the person may see."""


@dataclass(frozen=True, slots=True)
class CardContent:
    """A card as one person sees it now."""

    template: str
    data: object
