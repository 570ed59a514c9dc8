"""Declarative base of all tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, DateTime, MetaData
from sqlalchemy.orm import DeclarativeBase

from guardia.db.columns import CleanJsonb, CleanText

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Maps each Python type to one PostgreSQL type: clean text without limits, time with zone."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: CleanText(),
        int: BigInteger(),
        dict[str, Any]: CleanJsonb(),
        list[str]: CleanJsonb(),
        list[dict[str, Any]]: CleanJsonb(),
        datetime: DateTime(timezone=True),
    }
