"""Rules and facts that published documents state: proposed, then accepted or refused by people.

What is accepted takes effect by the use case of site rules or of the CMDB, in one transaction with
who accepted it and when. What was decided is never proposed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.audit.kinds import EntryKind
from guardia.board.cmdb import servers
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import entries, rights
from guardia.board.knowledge.model import Document, DocumentVersion, Passage, StatedRow
from guardia.board.knowledge.stated_facts import changes_of
from guardia.board.knowledge.suggestions import StatedSentence, servers_in, suggestions
from guardia.board.site_rules import changes, forms
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound, Refused, Stale
from guardia.i18n import t
from guardia.org import registry
from guardia.org.access import is_allowed, require_permission
from guardia.org.directory import PersonInfo
from guardia.org.model import Server
from guardia.text import MAX_REASON, trim

RIGHTS = {"never": "rule.edit", "freeze": "rule.edit", "fact": "server.edit"}
"""Who may accept or refuse a sentence, by its kind."""
_AT_ONCE = 20
_MOST_REASON = 1000


def read_within(session: Session, document: Document, now: datetime) -> None:
    """Keep what the published version of a locked document states."""
    document.stated_id = document.published_id
    session.execute(
        delete(StatedRow).where(
            StatedRow.document_id == document.document_id, StatedRow.state == "PROPOSED"
        )
    )
    found = _found(session, document)
    decided = select(StatedRow.digest).where(
        StatedRow.digest.in_([one.digest for one in found]), StatedRow.state != "PROPOSED"
    )
    known = set(session.scalars(decided)) if found else set()
    rows = [
        {
            "document_id": document.document_id,
            "version_id": document.published_id,
            "ordinal": one.ordinal,
            "digest": one.digest,
            "kind": one.kind,
            "sentence": one.sentence,
            "fields": dict(one.fields),
            "found_at": now,
        }
        for one in found
        if one.digest not in known
    ]
    if rows:
        session.execute(insert(StatedRow).on_conflict_do_nothing(), rows)


@repeat_on_conflict
def read_due(board: BoardContext) -> None:
    """Read the published versions that were not read yet; called once a minute."""
    now = board.current_time()
    unread = Document.stated_id.is_distinct_from(Document.published_id)
    query = select(Document).where(Document.state == "PUBLISHED", unread)
    query = query.order_by(Document.document_id).limit(_AT_ONCE)
    with board.database.transaction() as session:
        for document in session.scalars(query.with_for_update(skip_locked=True)).all():
            read_within(session, document, now)


def permitted_kinds(person: PersonInfo) -> tuple[str, ...]:
    """Return the kinds of sentences that a person may decide."""
    return tuple(kind for kind, right in RIGHTS.items() if is_allowed(person, right))


@repeat_on_conflict
def accept(
    board: BoardContext,
    person: PersonInfo,
    sentence_id: int,
    given: Mapping[str, str],
    reason: str = "",
) -> str:
    """Put a rule or a fact in force; return what it has become, such as `rule:NAME`.

    `given` are the fields of a rule that the person entered beside those that were read. Raises
    `Stale` for a fact whose server has changed since.
    """
    now = board.clock()
    with board.database.transaction() as session:
        row, document, version = _locked(session, board, person, sentence_id)
        if row.kind == "fact":
            result = _accept_fact(session, board, person, row)
        else:
            texts = {**row.fields, "sentence": row.sentence, **given, "kind": row.kind}
            rule = forms.parse_rule(texts, board.planner.reads())
            why = trim(reason, MAX_REASON) or t("documents.stated.because", **_place(row, version))
            changes.add_within(session, board, person, rule, why, now)
            result = f"rule:{rule.name}"
        _decide(session, row, "ACCEPTED", person, now, reason, result)
        _record(session, EntryKind.STATEMENT_ACCEPTED, person, now, document, version, row)
        return result


@repeat_on_conflict
def refuse(board: BoardContext, person: PersonInfo, sentence_id: int, reason: str = "") -> None:
    """Refuse a sentence: it is not proposed again, from no document."""
    now = board.clock()
    with board.database.transaction() as session:
        row, document, version = _locked(session, board, person, sentence_id)
        _decide(session, row, "REFUSED", person, now, reason)
        _record(session, EntryKind.STATEMENT_REFUSED, person, now, document, version, row)


def _found(session: Session, document: Document) -> Sequence[StatedSentence]:
    passages = session.execute(
        select(Passage.ordinal, Passage.text)
        .where(Passage.version_id == document.published_id)
        .order_by(Passage.ordinal)
    ).all()
    texts = [(row[0], row[1]) for row in passages]
    names = servers_in(text for _, text in texts) | {document.server_id or ""}
    query = select(Server).where(Server.server_id.in_(names))
    if document.inst_id is not None:  # a document speaks of its own institution only
        query = query.where(Server.inst_id == document.inst_id)
    hosts = {row.server_id: registry.host_of(row) for row in session.scalars(query)}
    return suggestions(texts, document.inst_id or "", document.server_id or "", hosts)


def _locked(
    session: Session, board: BoardContext, person: PersonInfo, sentence_id: int
) -> tuple[StatedRow, Document, DocumentVersion]:
    """Lock a sentence that waits. Raises `NotFound` for what the person may not read."""
    query = (
        select(StatedRow, Document, DocumentVersion)
        .join(Document, Document.document_id == StatedRow.document_id)
        .join(DocumentVersion, DocumentVersion.version_id == StatedRow.version_id)
        .where(
            StatedRow.sentence_id == sentence_id,
            rights.readable_by(person),
            rights.in_force(board.current_time()),
        )
        .with_for_update(of=StatedRow)
        .execution_options(populate_existing=True)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound(what=t("documents.stated.title"))
    row, document, version = found
    require_permission(person, RIGHTS[row.kind])
    if row.state != "PROPOSED":
        raise Refused(why=t("documents.stated.decided"))
    return row, document, version


def _accept_fact(session: Session, board: BoardContext, person: PersonInfo, row: StatedRow) -> str:
    server = row.fields["server"]
    found = session.get(Server, server, with_for_update=True, populate_existing=True)
    changed = changes_of(registry.host_of(found), row.fields) if found is not None else {}
    if not changed:
        raise Stale(what=server)
    servers.edit_within(session, board, person, server, changed)
    return f"server:{server}"


def _decide(
    session: Session,
    row: StatedRow,
    state: str,
    person: PersonInfo,
    now: datetime,
    reason: str,
    result: str = "",
) -> None:
    row.state, row.result, row.reason = state, result, trim(reason.strip(), _MOST_REASON)
    row.decided_by, row.decided_at = str(Actor.of(person)), now
    same = StatedRow.digest == row.digest, StatedRow.state == "PROPOSED"
    session.execute(delete(StatedRow).where(*same, StatedRow.sentence_id != row.sentence_id))


def _place(row: StatedRow, version: DocumentVersion) -> dict[str, object]:
    return {"number": row.document_id, "version": version.number, "passage": row.ordinal}


def _record(
    session: Session,
    kind: EntryKind,
    person: PersonInfo,
    now: datetime,
    document: Document,
    version: DocumentVersion,
    row: StatedRow,
) -> None:
    entries.record(
        session,
        kind,
        person,
        now,
        document,
        version=version.number,
        passage=row.ordinal,
        stated=row.kind,
        sentence=row.sentence,
        result=row.result,
        reason=row.reason,
    )
