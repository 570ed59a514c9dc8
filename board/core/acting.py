"""Who acts on the CMDB: a person with the permission, or the operator on the command line."""

from __future__ import annotations

from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import ActorKind
from guardia.errors import Forbidden
from guardia.org.access import require_operator, require_permission
from guardia.org.directory import PersonInfo


def require_actor(by: PersonInfo | Actor, action: str, *, institution: str | None = None) -> Actor:
    """Return who acts. Raises `Forbidden` unless it is a permitted person or the operator."""
    if isinstance(by, PersonInfo):
        require_permission(by, action, institution=institution)
        return Actor.of(by)
    if by.kind is not ActorKind.OPERATOR:
        raise Forbidden(who=by.label, action=action)
    require_operator(action)
    return by
