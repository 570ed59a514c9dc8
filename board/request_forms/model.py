"""Tables of the service catalogue's revisions and of requests that were filed with a form."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from guardia.board.core.model import ISSUE_ID
from guardia.db.base import Base


class CatalogueRevision(Base):
    """One applied catalogue; the newest is in force, without one the shipped catalogue is."""

    __tablename__ = "tb_request_catalogue"

    number: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    text: Mapped[str]
    sha256: Mapped[str]
    author: Mapped[str]
    applied_at: Mapped[datetime]


class FormRequest(Base):
    """What was filled in on a form, as data, and the checklist of the one who works on it."""

    __tablename__ = "tb_form_request"

    sr_id: Mapped[int] = mapped_column(ForeignKey(ISSUE_ID), primary_key=True)
    form_id: Mapped[str]
    title: Mapped[str]
    revision: Mapped[int]
    """Revision of the catalogue; 0: the shipped one."""
    fields: Mapped[list[dict[str, Any]]]
    """`id`, `label`, `kind` and `value` of each field."""
    checklist: Mapped[list[dict[str, Any]]]
    """`text`, and who checked it when (`by`, `at`)."""
