"""Open a session for a person whom an OpenID provider has proved."""

from __future__ import annotations

from guardia.board.accounts import people, sign_in
from guardia.board.accounts.oidc import ProvenPerson
from guardia.board.accounts.sign_in import Client, SignedIn
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.org.model import Person


def open_session(
    board: BoardContext, proven: ProvenPerson, replaces: str, client: Client, device: str
) -> SignedIn | None:
    """Return a session, or `None` if there is no such account here or it may not sign in.

    An account is never created. A role comes from the provider only where the settings map one,
    and one of approvers waits for a second person.
    """
    with board.database.reading() as session:
        row = session.get(Person, proven.account)
        role = row.role if row is not None and row.active else None
    if role is None:
        return None
    if proven.role and proven.role != role:
        people.follow_provider(board, Actor.system("oidc"), proven.account, proven.role)
    return sign_in.open_proven_session(board, proven.account, "oidc", replaces, client, device)
