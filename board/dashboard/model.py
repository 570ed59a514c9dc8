"""Tables of the figures that the database keeps for the cards."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Identity, Index
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base


class FigureTotal(Base):
    """What counts in one figure, up to the last fold. `inst_id` is `*` for all institutions."""

    __tablename__ = "tb_figure_total"
    __table_args__ = (Index("ix_tb_figure_total_zero", "day", postgresql_where=sql("n = 0")),)

    measure: Mapped[str] = mapped_column(primary_key=True)
    inst_id: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]


class FigureChange(Base):
    """What a transaction added or took away since the last fold; written by triggers only."""

    __tablename__ = "tb_figure_change"

    change_id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    measure: Mapped[str]
    inst_id: Mapped[str]
    day: Mapped[date]
    part: Mapped[str]
    n: Mapped[int]
