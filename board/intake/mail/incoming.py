"""What becomes of a mail: an issue, a comment on one, a failed delivery, or nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guardia.board.artifacts.attachments import NewAttachment, add_attachments
from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.model import Issue
from guardia.board.intake import chat_log, context_rules, limits
from guardia.board.intake.mail import bounces, steps, threads
from guardia.board.intake.mail.files import files_to_keep
from guardia.board.intake.mail.message import InboundMail, MailNature
from guardia.board.intake.mail.model import MailRecord
from guardia.board.intake.mail.senders import (
    CHANNEL,
    MailSender,
    identify_sender,
    is_permitted_domain,
)
from guardia.board.intake.mail.subjects import bare_subject
from guardia.board.issues import comments, visibility
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.db.engine import repeat_on_conflict
from guardia.errors import NotFound
from guardia.i18n import t, t_default
from guardia.org.access import is_allowed
from guardia.settings import Settings

_ISSUES_AN_HOUR = 30
"""Issues that one address may open: an automatic sender that nothing marks as one is stopped."""
_MAX_SUBJECT = 200


class MailOutcome(StrEnum):
    """What became of a mail. Stored: never rename a value."""

    ISSUE = "issue"
    COMMENT = "comment"
    ANSWERED = "answered"
    """A line of a conversation that opens no issue, such as a code."""
    BOUNCED = "bounced"
    AUTOMATIC = "automatic"
    LIST = "list"
    OWN = "own"
    REFUSED = "refused"
    """No valid sender, or one of a domain that may not write."""
    LIMITED = "limited"
    """More than a sender may send."""
    EMPTY = "empty"


_IGNORED = {
    MailNature.OWN: MailOutcome.OWN,
    MailNature.AUTOMATIC: MailOutcome.AUTOMATIC,
    MailNature.LIST: MailOutcome.LIST,
}


def receive_mail(board: BoardContext, settings: Settings, mail: InboundMail) -> MailOutcome:
    """Store what a mail says, once. A crash at any moment loses nothing: it is received again."""
    with board.database.reading() as session:
        same = MailRecord.external_id == mail.external_id
        known = session.scalar(select(MailRecord.outcome).where(same))
    if known is not None:
        return MailOutcome(known)
    if mail.nature is MailNature.BOUNCE:
        return _receive_bounce(board, settings, mail)
    sender = identify_sender(board, settings, mail)
    outcome = _IGNORED.get(mail.nature) or _refusal(mail, sender, settings)
    if outcome is not None:
        _record(board, mail, sender, outcome)
        return outcome
    sr_id = _thread_of(board, settings, mail, sender)
    if sr_id is not None:
        return _receive_comment(board, settings, mail, sender, sr_id)
    return _receive_request(board, settings, mail, sender)


def _refusal(mail: InboundMail, sender: MailSender, settings: Settings) -> MailOutcome | None:
    ours = (settings.mail_address or "").lower()
    if not mail.address or not is_permitted_domain(mail.address, settings):
        return MailOutcome.REFUSED
    if mail.address == ours:
        return MailOutcome.OWN
    if not (mail.text.strip() or mail.subject or mail.attachments):
        return MailOutcome.EMPTY
    return None


# --- a reply in the thread of an issue ----------------------------------------------------------


def _thread_of(
    board: BoardContext, settings: Settings, mail: InboundMail, sender: MailSender
) -> int | None:
    """Return the issue to which a mail replies, if its sender may add to it.

    One of our message ids proves that its holder has a mail of the issue. Without one, only a
    proved sender goes on with their own mail. A subject proves nothing.
    """
    key = threads.thread_key(settings)
    ours = threads.find_own_mail(key, mail.replied_to, mail.recipients)
    with board.database.reading() as session:
        if ours is not None and _may_add(session, ours.sr_id, sender):
            return ours.sr_id
        if not sender.verified or not mail.replied_to:
            return None
        own = select(MailRecord.sr_id).where(
            MailRecord.external_id.in_(mail.replied_to),
            MailRecord.sender == sender.address,
            MailRecord.sr_id.is_not(None),
        )
        return session.scalar(own.order_by(MailRecord.mail_id.desc()).limit(1))


def _may_add(session: Session, sr_id: int, sender: MailSender) -> bool:
    issue = session.get(Issue, sr_id)
    if issue is None:
        return False
    if issue.channel == CHANNEL and issue.room == sender.address:
        return True
    if sender.person is None or not is_allowed(sender.person, "issue.comment"):
        return False
    try:
        visibility.find_issue(session, sender.person, sr_id)
    except NotFound:
        return False
    return True


def _receive_comment(
    board: BoardContext, settings: Settings, mail: InboundMail, sender: MailSender, sr_id: int
) -> MailOutcome:
    line = replace(_line(settings, mail, sender), thread=_issue_thread(board, sr_id))
    refusal = _refuse_flood(board, settings, line)
    if refusal is not None:
        _record(board, mail, sender, MailOutcome.LIMITED, reply=refusal)
        return MailOutcome.LIMITED
    reply = steps.answer(board, settings, line, sender, in_thread=True)
    if reply is not None:
        _record(board, mail, sender, MailOutcome.ANSWERED, sr_id, reply)
        return MailOutcome.ANSWERED
    files = files_to_keep(mail)
    _keep_files(board, settings, mail, sr_id, files)
    _add_comment(board, mail, sender, sr_id, files)
    return MailOutcome.COMMENT


def _issue_thread(board: BoardContext, sr_id: int) -> str:
    """Return the key under which the channel knows the conversation of an issue."""
    with board.database.reading() as session:
        issue = session.get(Issue, sr_id)
        return issue.thread if issue is not None and issue.channel == CHANNEL else ""


@repeat_on_conflict
def _add_comment(
    board: BoardContext,
    mail: InboundMail,
    sender: MailSender,
    sr_id: int,
    files: list[NewAttachment],
) -> None:
    """Add the mail as a comment, once."""
    person, now = sender.person, board.clock()
    author = Actor.of(person) if person else Actor.channel(CHANNEL)
    text = mail.text.strip() or bare_subject(mail.subject) or "-"
    if person is None:
        text = f"{t_default('mail.wrote', who=_quoted(sender.label))}\n\n{text}"
    names = [f"- {_quoted(file.file_name)} ({file.size:,} B)" for file in files]
    if names:
        text = "\n".join([text, "", t_default("mail.files"), *names[:20]])
    with board.database.transaction() as session:
        if _insert_record(session, board, mail, sender, MailOutcome.COMMENT, sr_id):
            comments.write_comment(
                session, sr_id, author, text, now, wakes_mentioned=person is not None
            )


# --- a new request ------------------------------------------------------------------------------


def _receive_request(
    board: BoardContext, settings: Settings, mail: InboundMail, sender: MailSender
) -> MailOutcome:
    line = _line(settings, mail, sender)
    refusal = _refuse_flood(board, settings, line)
    if refusal is not None:
        _record(board, mail, sender, MailOutcome.LIMITED, reply=refusal)
        return MailOutcome.LIMITED
    reply = steps.answer(board, settings, line, sender, in_thread=False)
    if reply is not None:
        sr_id = _issue_of(board, line)
    else:
        sr_id = chat_log.receive_line(board, line, rule=context_rules.REQUEST_RULE)
        reply = ConversationReply(t("intake.received", sr=sr_id or "-"))
    if sr_id is not None:
        _keep_files(board, settings, mail, sr_id, files_to_keep(mail))
    outcome = MailOutcome.ANSWERED if sr_id is None else MailOutcome.ISSUE
    _record(board, mail, sender, outcome, sr_id, reply)
    return outcome


def _line(settings: Settings, mail: InboundMail, sender: MailSender) -> RoomLine:
    files = [{"name": f.name, "size": len(f.content)} for f in mail.attachments]
    return RoomLine(
        text=mail.text.strip() or bare_subject(mail.subject) or "-",
        title=bare_subject(mail.subject)[:_MAX_SUBJECT],
        channel=CHANNEL,
        sender=sender.label,
        room=sender.address,
        thread=mail.message_id,
        account=sender.account,
        external_id=mail.external_id,
        origin={"address": sender.address, "verified": sender.verified, "files": files},
        addressed=True,
        has_buttons=False,
        board_url=(settings.public_origin or settings.board_address).rstrip("/"),
    )


@repeat_on_conflict
def _issue_of(board: BoardContext, line: RoomLine) -> int | None:
    with board.database.transaction() as session:
        found = chat_log.find_line(session, line)
        return found.sr_id if found is not None else None


def _refuse_flood(
    board: BoardContext, settings: Settings, line: RoomLine
) -> ConversationReply | None:
    """Return the answer to a mail that is one too many, or `None`. Only the first is answered.

    It counts for its address, and for all senders of the mailbox together.
    """
    counted = replace(line, account=line.room, room=settings.mail_address or CHANNEL)
    verdict = limits.count_request(board, counted, limits.IntakeBounds.of(settings))
    if verdict is not None and not verdict.accepted:
        first = verdict.is_first_refusal
        return ConversationReply(t("intake.limited", limit=verdict.per_minute) if first else "")
    since = board.clock() - timedelta(hours=1)
    count = select(func.count()).where(
        MailRecord.sender == line.room,
        MailRecord.outcome == MailOutcome.ISSUE,
        MailRecord.received_at > since,
    )
    with board.database.reading() as session:
        flood = (session.scalar(count) or 0) >= _ISSUES_AN_HOUR
    return ConversationReply() if flood else None


# --- records ------------------------------------------------------------------------------------


def _receive_bounce(board: BoardContext, settings: Settings, mail: InboundMail) -> MailOutcome:
    key = threads.thread_key(settings)
    bounce = mail.bounce
    ours = threads.find_own_mail(key, bounce.message_ids if bounce else (), ())
    sender = MailSender(mail.address, mail.name, False, None)
    if bounce is None or ours is None:
        _record(board, mail, sender, MailOutcome.AUTOMATIC)
        return MailOutcome.AUTOMATIC
    if bounce.final:
        bounces.mark_undelivered(board, ours, bounce)
    _record(board, mail, sender, MailOutcome.BOUNCED, ours.sr_id)
    return MailOutcome.BOUNCED


def _keep_files(
    board: BoardContext,
    settings: Settings,
    mail: InboundMail,
    sr_id: int,
    files: list[NewAttachment],
) -> None:
    if files:
        source = f"{CHANNEL}:{mail.external_id}"
        add_attachments(board, BlobStore.of(settings), sr_id, source, files)


@repeat_on_conflict
def _record(
    board: BoardContext,
    mail: InboundMail,
    sender: MailSender,
    outcome: MailOutcome,
    sr_id: int | None = None,
    reply: ConversationReply | None = None,
) -> None:
    """Record what became of a mail, and queue the answer to it."""
    with board.database.transaction() as session:
        if not _insert_record(session, board, mail, sender, outcome, sr_id):
            return
        if reply is not None and reply.text:
            outbox.send(
                session,
                "message",
                reply.text,
                board.clock(),
                room=sender.address,
                sr_id=sr_id,
                choices=reply.choices,
                route=outbox.Route(CHANNEL, mail.message_id),
            )


def _insert_record(
    session: Session,
    board: BoardContext,
    mail: InboundMail,
    sender: MailSender,
    outcome: MailOutcome,
    sr_id: int | None,
) -> bool:
    """Insert the row of a mail; return whether it was new."""
    values = {
        "external_id": mail.external_id,
        "sender": sender.address,
        "verified": sender.verified,
        "subject": mail.subject,
        "outcome": outcome.value,
        "sr_id": sr_id,
        "received_at": board.clock(),
    }
    made = insert(MailRecord).values(values).on_conflict_do_nothing().returning(MailRecord.mail_id)
    return session.scalar(made) is not None


def _quoted(text: str) -> str:
    """Return foreign text that Markdown shows unchanged."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>&~#|!" else c for c in text)
