"""Tell mails of people from automatic ones: nothing automatic opens an issue or is answered."""

from __future__ import annotations

import re
from email.message import Message

from guardia.board.intake.mail import headers
from guardia.board.intake.mail.message import Bounce, MailNature

OWN_FIELD = "X-GUARDiA"
"""Field of every mail that an installation sends."""
_MACHINES = re.compile(
    r"(mailer-daemon|postmaster|mail-daemon|maildaemon|no-?reply|do-?not-?reply|donotreply|bounces?)"
    r"([+._-].*)?",
    re.IGNORECASE,
)
_BULK = frozenset({"bulk", "list", "junk"})
_AUTO_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-auto-response",
    "x-mail-autoreply",
    "x-ms-exchange-generated-message-source",
    "x-naver-autoreply",
)
_LIST_FIELDS = (
    "list-id",
    "list-unsubscribe",
    "list-post",
    "list-help",
    "mailing-list",
    "x-loop",
    "feedback-id",
)
_NOTICE = (
    r"(?:자동\s*(?:응답|회신|답장)|(?:부재|휴가|출장|외근)\s*중?\s*(?:자동)?\s*"
    r"(?:알림|안내|메일|응답|회신|답장)?|auto(?:matic)?[\s-]*(?:reply|response|replied)"
    r"|out[\s-]of[\s-](?:the[\s-])?office(?:\s+auto-?reply)?|vacation\s+(?:reply|notice)"
    r"|수신\s*확인|읽음(?:\s*확인)?|읽지 않음|read(?:\s+receipt)?|not read|배달\s*(?:확인|완료))"
)
_ABSENCE = re.compile(
    # Words alone are no proof: people write "부재중 자동응답 설정 문의".
    rf"\s*(?:(?:re|회신)\s*:\s*)?(?:\[\s*{_NOTICE}\s*\]|{_NOTICE}\s*[:\uff1a]"
    rf"|{_NOTICE}\s*(?:입니다|안내|알림)?\s*[.!]?\s*$)",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"(undeliver(able|ed)|delivery (status notification|has failed|failure)|mail delivery failed"
    r"|returned (mail|to sender)|failure notice|반송|(전송|배달|발송)\s*실패"
    r"|배달(되지 않|할 수 없))",
    re.IGNORECASE,
)
_STATUS = re.compile(r"\b([245])\.\d{1,3}\.\d{1,3}\b")
_MAX_REPORT = 200_000


def nature_of(message: Message, subject: str) -> MailNature:
    """Return what kind of mail it is, by its fields and its subject."""
    if _is_bounce(message, subject):
        return MailNature.BOUNCE
    if headers.raw_field(message, OWN_FIELD):
        return MailNature.OWN
    if _is_automatic(message, subject):
        return MailNature.AUTOMATIC
    precedence = headers.raw_field(message, "precedence").lower()
    if precedence in _BULK or any(headers.raw_field(message, one) for one in _LIST_FIELDS):
        return MailNature.LIST
    return MailNature.PERSONAL


def _is_automatic(message: Message, subject: str) -> bool:
    submitted = headers.raw_field(message, "auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if _has_empty_return_path(message) or any(headers.raw_field(message, f) for f in _AUTO_FIELDS):
        return True
    if headers.raw_field(message, "precedence").lower() == "auto_reply":
        return True
    kind = headers.raw_field(message, "content-type").lower()
    if kind.startswith("multipart/report") or "disposition-notification" in kind:
        return True
    return bool(_ABSENCE.match(subject)) or _is_from_machine(message)


def _is_bounce(message: Message, subject: str) -> bool:
    kind = headers.raw_field(message, "content-type").lower()
    if kind.startswith("multipart/report"):
        report = headers.parameter(headers.raw_field(message, "content-type"), "report-type")
        return report.lower() in {"delivery-status", ""}
    is_notice = _has_empty_return_path(message) or _is_from_machine(message)
    return is_notice and bool(_FAILED.search(subject))


def _has_empty_return_path(message: Message) -> bool:
    return any(not value.strip("<> ") for value in headers.raw_fields(message, "return-path"))


def _is_from_machine(message: Message) -> bool:
    found = headers.addresses(headers.raw_field(message, "from"))
    return any(_MACHINES.fullmatch(address.partition("@")[0]) for _, address in found)


def bounce_of(message: Message) -> Bounce | None:
    """Return a report about a mail that was not delivered, or `None` for other mails."""
    if not _is_bounce(message, headers.text_field(message, "subject")):
        return None
    text = message.as_bytes()[:_MAX_REPORT].decode("latin-1")
    ids = [one for name in ("message-id", "in-reply-to", "references") for one in _ids(text, name)]
    recipient = re.search(r"^final-recipient:[^;\r\n]*;[ \t]*(\S{1,320})", text, re.I | re.M)
    named = re.search(r"^status:[ \t]*([245]\.\d{1,3}\.\d{1,3})", text, re.I | re.M)
    status = named[1] if named else (found[0] if (found := _STATUS.search(text)) else "")
    action = re.search(r"^action:[ \t]*(\w+)", text, re.I | re.M)
    delayed = action is not None and action[1].lower() in {
        "delayed",
        "relayed",
        "delivered",
        "expanded",
    }
    return Bounce(
        message_ids=tuple(dict.fromkeys(ids)),
        recipient=headers.one_line(recipient[1].strip("<>")) if recipient else "",
        status=status,
        final=not delayed and not status.startswith(("2", "4")),
    )


def _ids(text: str, name: str) -> list[str]:
    fields = re.finditer(rf"^{name}:((?:[^\r\n]|\r?\n[ \t])*)", text, re.I | re.M)
    return [one for field in fields for one in headers.message_ids(field[1])]


def results_of_own_servers(message: Message) -> tuple[str, ...]:
    """Return each `Authentication-Results` with the number of `Received` lines above it.

    Every server writes above what it received: what is below the lines of our own servers was
    written by the sender.
    """
    found, above = [], 0
    for name, value in message.raw_items():
        if name.lower() == "received":
            above += 1
        elif name.lower() == "authentication-results":
            shown = str(value)[: headers.MAX_FIELD].encode("ascii", "replace").decode()
            text = re.sub(r"[\r\n]+", " ", shown)
            found.append(f"{above} {text}")
    return tuple(found[:20])
