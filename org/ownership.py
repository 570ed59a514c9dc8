"""Who owns which servers: rows for one server, and those for an institution, a group or a team."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Subquery, and_, func, literal, or_, select, union_all

from guardia.org.model import OwnerScope, Server, SystemOwner, TeamMember


def owned_servers() -> Subquery:
    """Return every pair of a person and a server that they own, with the grounds.

    Columns: owner_id, server_id, skill, proficiency, duty, scope, target, team_id.
    """
    direct = select(
        SystemOwner.owner_id,
        SystemOwner.server_id,
        SystemOwner.skill,
        SystemOwner.proficiency,
        SystemOwner.duty,
        literal("server").label("scope"),
        SystemOwner.server_id.label("target"),
        literal("").label("team_id"),
    )
    rule = OwnerScope
    wider = (
        select(
            func.coalesce(rule.owner_id, TeamMember.person_id).label("owner_id"),
            Server.server_id,
            rule.skill,
            rule.proficiency,
            rule.duty,
            rule.scope,
            rule.target,
            func.coalesce(rule.team_id, "").label("team_id"),
        )
        .join(Server, _covers())
        .outerjoin(TeamMember, TeamMember.team_id == rule.team_id)
        # A team without members owns nothing.
        .where(or_(rule.owner_id.is_not(None), TeamMember.person_id.is_not(None)))
    )
    return union_all(direct, wider).subquery("owned")


def _covers() -> ColumnElement[bool]:
    """Return whether a rule covers a server."""
    rule = OwnerScope
    return or_(
        and_(rule.scope == "server", rule.target == Server.server_id),
        and_(rule.scope == "institution", rule.target == Server.inst_id),
        and_(rule.scope == "group", Server.groups.contains(func.to_jsonb(rule.target))),
    )
