"""Guard the forms of live pages: what a form means never changes under a person's hand.

A form carries a token of what it was opened for: the hash of a plan, a task's state. Every live
refresh of its page sends these tokens along. If one is not current any more, the form is rendered
with its old token and locked, until the person has looked at what changed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuardedForm:
    """A form with the token that it was opened with."""

    name: str
    shown: str
    """The token that the form carries."""
    current: str
    """The token of the present state."""
    since: str = ""
    """The token before the person accepted a change; empty if there was no change."""

    @property
    def is_stale(self) -> bool:
        """Whether the form was opened for something else than what it would act on now."""
        return self.shown != self.current

    @property
    def bound(self) -> str:
        """Return the value that the form sends with every refresh."""
        return " ".join(filter(None, (self.name, self.shown, self.since)))


@dataclass(frozen=True, slots=True)
class FormGuard:
    """The tokens that a page's forms were opened with, as its refresh sent them."""

    opened: dict[str, tuple[str, str]]
    """Token, and token before an accepted change, by form."""
    accepted: str = ""
    """The form whose changes the person has just opened."""

    def form(self, name: str, current: str) -> GuardedForm:
        """Return a form of the page; a form that was not open before is opened now."""
        shown, since = self.opened.get(name, (current, ""))
        if name == self.accepted and shown != current:
            shown, since = current, shown
        return GuardedForm(name, shown, current, since)


def opened_with(name: str, token: str) -> FormGuard:
    """Return the guard of a page that shows a refused form again."""
    return FormGuard({name: (token, "")})
