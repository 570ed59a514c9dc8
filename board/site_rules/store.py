"""Rules in force as the evaluation needs them: only those of the places of one server."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import any_, bindparam, exists, literal, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from guardia.board.audit.canonical import canonical
from guardia.board.site_rules.model import SiteRuleRow
from guardia.board.site_rules.policy import RuleVersion
from guardia.board.site_rules.terms import EVERYWHERE, SiteRule
from guardia.db.statement import Statement
from guardia.org.model import Server

_INSTITUTION = select(Server.inst_id).where(Server.server_id == bindparam("server"))
# One statement, found by one index: most servers have no rules, and each change asks.
_IN_FORCE = Statement(
    select(
        SiteRuleRow.name,
        SiteRuleRow.version,
        SiteRuleRow.sentence,
        SiteRuleRow.hash,
        SiteRuleRow.body,
    )
    .where(
        SiteRuleRow.state == "ACTIVE",
        SiteRuleRow.scope
        == any_(
            array(
                [
                    literal(EVERYWHERE),
                    literal("server:") + bindparam("server"),
                    literal("institution:") + _INSTITUTION.scalar_subquery(),
                ]
            )
        ),
    )
    .order_by(SiteRuleRow.name)
)


def rules_of_server(session: Session, server: str) -> list[RuleVersion]:
    """Return the rules in force on a server, by name."""
    return [
        RuleVersion(name, version, sentence, digest, parse_stored(body))
        for name, version, sentence, digest, body in _IN_FORCE.run(session, {"server": server})
    ]


def servers_with_rules(session: Session, servers: Collection[str]) -> set[str]:
    """Return those of some servers on which any rule is in force."""
    places = (
        literal(EVERYWHERE),
        literal("server:") + Server.server_id,
        literal("institution:") + Server.inst_id,
    )
    ruled = exists().where(SiteRuleRow.state == "ACTIVE", SiteRuleRow.scope.in_(places))
    query = select(Server.server_id).where(Server.server_id.in_(servers), ruled)
    return set(session.scalars(query))


def version_of(row: SiteRuleRow) -> RuleVersion:
    """Return a row as a value; its rule is `None` if this release cannot read it."""
    return RuleVersion(row.name, row.version, row.sentence, row.hash, parse_stored(row.body))


def parse_stored(body: dict[str, Any]) -> SiteRule | None:
    """Return a stored rule, or `None` if this release cannot read it."""
    return _parse(canonical(body))


@lru_cache(maxsize=4096)
def _parse(text: bytes) -> SiteRule | None:
    try:
        return SiteRule.model_validate_json(text)
    except ValidationError:
        return None
