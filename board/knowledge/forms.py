"""Read the fields of the forms about documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from guardia.board.core.labels import SEOUL
from guardia.board.knowledge.policy import MAX_WRITTEN, STAFF_ROLES, DocumentDetails
from guardia.board.knowledge.view import DocumentView
from guardia.errors import Invalid, Missing
from guardia.i18n import t


@dataclass(frozen=True, slots=True)
class EnteredDetails:
    """What was entered, as it was entered."""

    title: str = ""
    field: str = ""
    institution: str = ""
    server: str = ""
    owner: str = ""
    audience: str = "roles"
    roles: tuple[str, ...] = STAFF_ROLES
    expires: str = ""

    def parsed(self) -> DocumentDetails:
        """Return the details. Raises `Invalid` with the wrong field."""
        return DocumentDetails(
            title=self.title.strip(),
            field=self.field.strip(),
            institution=self.institution.strip() or None,
            server=self.server.strip() or None,
            owner=self.owner.strip() or None,
            audience=self.audience,
            roles=self.roles,
            expires_at=_end_of_day(self.expires.strip()),
        )

    @classmethod
    def of(cls, found: DocumentView) -> EnteredDetails:
        """Return the details of a document as a form shows them."""
        until = found.line.expires_at
        return cls(
            found.line.title,
            found.line.field,
            found.line.institution,
            found.line.server,
            found.owner_id,
            found.line.audience,
            found.roles or STAFF_ROLES,
            (until - timedelta(seconds=1)).astimezone(SEOUL).date().isoformat() if until else "",
        )


def _end_of_day(text: str) -> datetime | None:
    """Return the moment at which a day is over in Korea."""
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        why = t("documents.wrong_date")
        raise Invalid(what=t("documents.expires"), why=why, field="expires") from None
    return datetime.combine(day + timedelta(days=1), time(0), SEOUL)


def written_text(text: str) -> bytes:
    """Return the content of a written document. Raises `Invalid` for one that is empty or long."""
    if not text.strip():
        raise Missing(what=t("documents.text"), field="text")
    if len(text) > MAX_WRITTEN:
        why = t("documents.long_text", most=MAX_WRITTEN)
        raise Invalid(what=t("documents.text"), why=why, field="text")
    return text.replace("\r\n", "\n").encode()


def title_of(file_name: str) -> str:
    """Return the title of an uploaded file: its name without the ending."""
    name = file_name.replace("\\", "/").rpartition("/")[2]
    return (name.rpartition(".")[0] or name).replace("_", " ").strip()[:200]
