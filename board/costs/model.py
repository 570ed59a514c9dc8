"""Tables of costs: model calls, accounts with reservations, daily sums, pauses.

Money is in millionths of a won; days and months are those of the company's time zone.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy import Identity as _Identity
from sqlalchemy.orm import Mapped, mapped_column

from guardia.db.base import Base

_ZERO = text("0")


def _sum() -> Mapped[int]:
    return mapped_column(default=0, server_default=_ZERO)


class ModelCall(Base):
    """One call of a model: reserved before it is sent, settled when it is over."""

    __tablename__ = "tb_model_call"
    __table_args__ = (
        CheckConstraint("state in ('RESERVED', 'SETTLED')", name="state"),
        CheckConstraint(
            "outcome in ('used', 'unusable', 'failed', 'refused', 'abandoned', 'reported')",
            name="outcome",
        ),
        CheckConstraint(
            "least(tokens_in, tokens_out, cost, latency_ms, most_in, most_out, price_in, price_out)"
            " >= 0",
            name="amounts",
        ),
        Index("ix_tb_model_call_sr_id", "sr_id", "call_id"),
        Index("ix_tb_model_call_run_id", "run_id"),
        Index(
            "ix_tb_model_call_measured",
            "model",
            "question",
            "prompt_version",
            text("call_id desc"),
            postgresql_where=text("size_in > 0 and not estimated"),
        ),
        Index(
            "ix_tb_model_call_expires_at",
            "expires_at",
            postgresql_where=text("state = 'RESERVED'"),
        ),
    )

    call_id: Mapped[int] = mapped_column(_Identity(always=True), primary_key=True)
    run_id: Mapped[int | None]
    task_id: Mapped[int | None]
    sr_id: Mapped[int | None]
    agent_id: Mapped[str]
    inst_id: Mapped[str] = mapped_column(default="", server_default="")
    """Empty while the issue's institution is unknown."""
    question: Mapped[str]
    """`triage`, `choose`, `divide`, or the purpose that an external agent reports."""
    provider: Mapped[str]
    model: Mapped[str]
    prompt_version: Mapped[str] = mapped_column(default="", server_default="")
    """Hash of the instructions and of the schema of the answer."""
    state: Mapped[str]
    outcome: Mapped[str | None]
    why: Mapped[str] = mapped_column(default="", server_default="")
    day: Mapped[date]
    most_in: Mapped[int] = _sum()
    """Tokens reserved for the question: more than it can have."""
    size_in: Mapped[int] = _sum()
    """Bytes of the question, with which later calls are measured."""
    most_out: Mapped[int] = _sum()
    """Tokens reserved for the answer: more than it may have."""
    price_in: Mapped[int] = _sum()
    """Won per million tokens at the time of the call; a later price does not change it."""
    price_out: Mapped[int] = _sum()
    tokens_in: Mapped[int] = _sum()
    tokens_out: Mapped[int] = _sum()
    cost: Mapped[int] = _sum()
    estimated: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the server sent no plausible usage, so that the worst case counts."""
    latency_ms: Mapped[int] = _sum()
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    """When the reservation of a dead worker is settled at its worst."""


class BudgetAccount(Base):
    """What one agent, institution or the company has spent in one month or day."""

    __tablename__ = "tb_budget_account"
    __table_args__ = (
        CheckConstraint("scope in ('agent', 'company', 'institution')", name="scope"),
        CheckConstraint("span in ('day', 'month')", name="span"),
        CheckConstraint(
            "least(spent_tokens, spent_cost, reserved_tokens, reserved_cost, extra_tokens,"
            " extra_cost) >= 0",
            name="amounts",
        ),
    )

    scope: Mapped[str] = mapped_column(primary_key=True)
    scope_id: Mapped[str] = mapped_column(primary_key=True)
    span: Mapped[str] = mapped_column(primary_key=True)
    begins: Mapped[date] = mapped_column(primary_key=True)
    spent_tokens: Mapped[int] = _sum()
    spent_cost: Mapped[int] = _sum()
    reserved_tokens: Mapped[int] = _sum()
    reserved_cost: Mapped[int] = _sum()
    extra_tokens: Mapped[int] = _sum()
    """What people have added to the chart's cap for this period."""
    extra_cost: Mapped[int] = _sum()
    warned_at: Mapped[datetime | None]
    exhausted_at: Mapped[datetime | None]


class BudgetPause(Base):
    """An agent paused because its budget is used up, until it is raised or a new period begins."""

    __tablename__ = "tb_budget_pause"
    __table_args__ = (
        Index(
            "uq_tb_budget_pause_open",
            "agent_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
    )

    pause_id: Mapped[int] = mapped_column(_Identity(always=True), primary_key=True)
    agent_id: Mapped[str]
    sr_id: Mapped[int | None]
    needed_tokens: Mapped[int]
    """What the refused call could have used."""
    needed_cost: Mapped[int]
    paused_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class CostDay(Base):
    """One day's sums by agent, institution and model; `model` is empty for work without one."""

    __tablename__ = "tb_cost_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    agent_id: Mapped[str] = mapped_column(primary_key=True)
    inst_id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    calls: Mapped[int] = _sum()
    unused: Mapped[int] = _sum()
    """Calls whose answer was not used, or that were refused."""
    tokens_in: Mapped[int] = _sum()
    tokens_out: Mapped[int] = _sum()
    cost: Mapped[int] = _sum()
    latency_ms: Mapped[int] = _sum()
    runs: Mapped[int] = _sum()
    """Runs that worked on a task."""
    wall_ms: Mapped[int] = _sum()
    commands: Mapped[int] = _sum()
    command_ms: Mapped[int] = _sum()


class CostIssue(Base):
    """One month's sums of one issue."""

    __tablename__ = "tb_cost_issue"
    __table_args__ = (Index("ix_tb_cost_issue_month", "month", text("cost desc"), "sr_id"),)

    month: Mapped[date] = mapped_column(primary_key=True)
    sr_id: Mapped[int] = mapped_column(primary_key=True)
    calls: Mapped[int] = _sum()
    tokens_in: Mapped[int] = _sum()
    tokens_out: Mapped[int] = _sum()
    cost: Mapped[int] = _sum()
    commands: Mapped[int] = _sum()
    command_ms: Mapped[int] = _sum()
