"""Pure rules of documents: what may be entered, and which step of a review follows which."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from guardia.errors import Invalid, Missing, Refused
from guardia.i18n import t
from guardia.org.access import ROLES
from guardia.text import MAX_TITLE

MAX_BYTES = 64 << 20
"""Bytes of one file."""
MAX_WRITTEN = 500_000
"""Characters of a text that is written on a page."""
AUDIENCES = ("all", "institution", "roles")
STAFF_ROLES = tuple(role for role in ROLES if role != "customer")
_FIELD = re.compile(r"[A-Z][A-Z0-9_]{0,31}|")


@dataclass(frozen=True, slots=True)
class DocumentDetails:
    """What is said about a document; everything but its content."""

    title: str
    field: str = ""
    institution: str | None = None
    server: str | None = None
    owner: str | None = None
    audience: str = "roles"
    roles: tuple[str, ...] = STAFF_ROLES
    expires_at: datetime | None = None


def checked(details: DocumentDetails, now: datetime) -> DocumentDetails:
    """Return details without what does not belong. Raises `Invalid` for what is not permitted."""
    title = " ".join(details.title.split())
    if not title:
        raise Missing(what=t("documents.title_field"), field="title")
    if len(title) > MAX_TITLE:
        raise _invalid("title", "title_field", "long_title", most=MAX_TITLE)
    if not _FIELD.fullmatch(details.field):
        raise _invalid("field", "field", "wrong_field")
    if details.audience not in AUDIENCES:
        raise _invalid("audience", "audience", "wrong_audience")
    if details.audience == "institution" and not details.institution:
        raise _invalid("institution", "institution", "institution_needed")
    roles = tuple(role for role in ROLES if role in details.roles)
    if details.audience == "roles" and not roles:
        raise _invalid("roles", "roles", "role_needed")
    if len(roles) != len(set(details.roles)):
        raise _invalid("roles", "roles", "wrong_role")
    if details.expires_at is not None and details.expires_at <= now:
        raise _invalid("expires", "expires", "past_date")
    return replace(details, title=title, roles=roles if details.audience == "roles" else ())


def _invalid(field_: str, name: str, why: str, **values: object) -> Invalid:
    what = t(f"documents.{name}")
    return Invalid(what=what, why=t(f"documents.{why}", **values), field=field_)


def require_submittable(review: str, reading: str) -> None:
    """Raise `Refused` unless a version can be handed in for review."""
    if reading == "UNREADABLE":
        raise Refused(why=t("documents.unreadable"))
    if review not in {"DRAFT", "REJECTED"}:
        raise Refused(why=t("documents.not_draft"))


def require_publishable(review: str, reading: str, author: str, reviewer: str) -> None:
    """Raise `Refused` unless this reviewer may publish a version, which is never the own one."""
    if review != "IN_REVIEW":
        raise Refused(why=t("documents.not_in_review"))
    if author == reviewer:
        raise Refused(why=t("documents.own_work"))
    if reading != "READ":
        raise Refused(why=t("documents.unread" if reading == "WAITING" else "documents.unreadable"))


def require_rejectable(review: str) -> None:
    """Raise `Refused` unless a version waits for review."""
    if review != "IN_REVIEW":
        raise Refused(why=t("documents.not_in_review"))
