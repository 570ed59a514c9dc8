"""Use cases that add, change and remove site rules. What loosens a rule needs a second person."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.planner import Planner
from guardia.board.core.reasons import require_reason
from guardia.board.site_rules import policy, store
from guardia.board.site_rules.model import SiteRuleRow
from guardia.board.site_rules.terms import FirstTerms, OrderTerms, SiteRule
from guardia.db.engine import repeat_on_conflict
from guardia.errors import Forbidden, Invalid, NotFound, Refused, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import require_permission
from guardia.org.directory import PersonInfo


class RuleState(StrEnum):
    """State of one version of a rule."""

    ACTIVE = "ACTIVE"
    PROPOSED = "PROPOSED"
    SUPERSEDED = "SUPERSEDED"
    REMOVED = "REMOVED"
    REJECTED = "REJECTED"


@repeat_on_conflict
def add_rule(board: BoardContext, person: PersonInfo, rule: SiteRule, reason: str) -> int:
    """Add a rule, which is in force at once; return its version.

    Raises `Invalid` if it names what does not exist, `Refused` if the name is taken.
    """
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        return add_within(session, board, person, rule, why, now)


def add_within(
    session: Session,
    board: BoardContext,
    person: PersonInfo,
    rule: SiteRule,
    why: str,
    now: datetime,
) -> int:
    """Add a rule in the caller's transaction; return its version."""
    require_permission(person, "rule.edit")
    _require_known(session, board.planner, rule)
    if _lock(session, rule.name, RuleState.ACTIVE) is not None:
        raise Refused(why=t("rules.taken", name=rule.name))
    row = _add_version(session, rule, RuleState.ACTIVE, person, why, now)
    _record(session, EntryKind.RULE_ADDED, row, person, now)
    return row.version


@repeat_on_conflict
def edit_rule(
    board: BoardContext, person: PersonInfo, rule: SiteRule, reason: str, version: int
) -> RuleState:
    """Replace the version that the person saw; return the state of the new one.

    A change that may permit more than before is only proposed: another person has to approve it.
    """
    require_permission(person, "rule.edit")
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        _require_known(session, board.planner, rule)
        old = _current(session, rule.name, version)
        if old.hash == rule.hash:
            raise Invalid(what=rule.name, why=t("rules.same"))
        before = store.parse_stored(old.body)
        if before is None or policy.is_looser(before, rule):
            return _propose(session, rule, person, why, now)
        old.state = RuleState.SUPERSEDED
        session.flush()
        row = _add_version(session, rule, RuleState.ACTIVE, person, why, now)
        _record(session, EntryKind.RULE_CHANGED, row, person, now)
        return RuleState.ACTIVE


@repeat_on_conflict
def remove_rule(
    board: BoardContext, person: PersonInfo, name: str, reason: str, version: int
) -> RuleState:
    """Propose to remove a rule; it stays in force until another person approves."""
    require_permission(person, "rule.edit")
    why, now = require_reason(reason), board.clock()
    with board.database.transaction() as session:
        old = _current(session, name, version)
        return _propose(session, old, person, why, now)


@repeat_on_conflict
def decide_proposal(
    board: BoardContext,
    person: PersonInfo,
    name: str,
    version: int,
    *,
    approve: bool,
    reason: str = "",
) -> RuleState:
    """Approve or reject the proposal that the person saw; its author may only withdraw it."""
    require_permission(person, "rule.edit")
    now = board.clock()
    with board.database.transaction() as session:
        old = _lock(session, name, RuleState.ACTIVE)
        row = _lock(session, name, RuleState.PROPOSED)
        if row is None or row.version != version:
            raise Stale(what=name)
        if approve:
            _require_other(session, row, person)
            if old is not None:
                old.state = RuleState.SUPERSEDED
                session.flush()
            row.state = RuleState.REMOVED if row.removes else RuleState.ACTIVE
            kind = EntryKind.RULE_REMOVED if row.removes else EntryKind.RULE_CHANGED
        else:
            row.state, kind = RuleState.REJECTED, EntryKind.RULE_REJECTED
        row.decided_by, row.decided_at = str(Actor.of(person)), now
        session.flush()
        _record(session, kind, row, person, now, decision=reason)
        return RuleState(row.state)


def _require_other(session: Session, row: SiteRuleRow, person: PersonInfo) -> None:
    """Raise `Forbidden` if the person behind an account is the author of a proposal."""
    from guardia.org import identity

    author = Actor.parse(row.author)
    same = identity.accounts_of_same_people(session, frozenset({person.id}))
    if author is None or author.id == person.id or author.id in same:
        who = f"{person.name} {person.title}"
        raise Forbidden(who=who, action=t("rules.own_proposal"))


def _propose(
    session: Session, of: SiteRule | SiteRuleRow, person: PersonInfo, why: str, now: datetime
) -> RuleState:
    if _lock(session, of.name, RuleState.PROPOSED) is not None:
        raise Refused(why=t("rules.already_proposed", name=of.name))
    row = _add_version(session, of, RuleState.PROPOSED, person, why, now)
    _record(session, EntryKind.RULE_PROPOSED, row, person, now)
    return RuleState.PROPOSED


def _lock(session: Session, name: str, state: RuleState) -> SiteRuleRow | None:
    query = select(SiteRuleRow).where(SiteRuleRow.name == name, SiteRuleRow.state == state)
    return session.scalar(query.with_for_update())


def _current(session: Session, name: str, version: int) -> SiteRuleRow:
    row = _lock(session, name, RuleState.ACTIVE)
    if row is None:
        raise NotFound(what=name)
    if row.version != version:
        raise Stale(what=name)
    return row


def _add_version(
    session: Session,
    of: SiteRule | SiteRuleRow,
    state: RuleState,
    person: PersonInfo,
    why: str,
    now: datetime,
) -> SiteRuleRow:
    """Store the next version of a rule, or a removal of the version in force."""
    last = session.scalar(select(func.max(SiteRuleRow.version)).where(SiteRuleRow.name == of.name))
    removes = isinstance(of, SiteRuleRow)
    row = SiteRuleRow(
        name=of.name,
        version=(last or 0) + 1,
        scope=of.scope if isinstance(of, SiteRuleRow) else of.scope.key,
        body=of.body if isinstance(of, SiteRuleRow) else of.as_data(),
        sentence=of.sentence,
        hash=of.hash,
        state=state,
        removes=removes,
        author=str(Actor.of(person)),
        reason=why,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _require_known(session: Session, planner: Planner, rule: SiteRule) -> None:
    """Raise `Invalid` if the rule names a place or an action that does not exist."""
    scope, terms = rule.scope, rule.terms
    if scope.institution and scope.institution not in registry.institution_ids(session):
        raise Invalid(what=scope.institution, why=t("rules.wrong.institution"))
    for server in (scope.server, terms.after if isinstance(terms, OrderTerms) else ""):
        if server:
            _require_server(session, server)
    if scope.service:
        host = registry.host(session, scope.server)
        if scope.service not in {service.name for service in host.services}:
            raise Invalid(what=scope.service, why=t("rules.wrong.service", server=scope.server))
    changes = {option.tool for option in planner.options()}
    for pattern in terms.actions:
        if not any(policy.matches((pattern,), tool) for tool in changes):
            raise Invalid(what=pattern, why=t("rules.wrong.no_action"))
    if isinstance(terms, FirstTerms):
        known = changes if terms.action else planner.reads()
        if (terms.action or terms.read) not in known:
            raise Invalid(what=terms.action or terms.read, why=t("rules.wrong.no_action"))


def _require_server(session: Session, server: str) -> None:
    try:
        registry.host(session, server)
    except NotFound:
        raise Invalid(what=server, why=t("rules.wrong.server")) from None


def _record(
    session: Session,
    kind: EntryKind,
    row: SiteRuleRow,
    person: PersonInfo,
    now: datetime,
    decision: str = "",
) -> None:
    detail: dict[str, Any] = {
        "rule": row.name,
        "version": row.version,
        "body": row.body,
        "hash": row.hash,
        "removes": row.removes,
        "author": row.author,
        "reason": row.reason,
        **({"decision": decision} if decision else {}),
    }
    log.append(
        session,
        kind,
        actor=str(Actor.of(person)),
        now=now,
        detail=detail,
        name=row.name,
        version=row.version,
        sentence=row.sentence,
        reason=decision or row.reason,
        who=f"{person.name} {person.title}",
    )
