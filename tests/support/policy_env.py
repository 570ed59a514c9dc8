"""A clock that a test moves, and approval rules of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from board_env import BoardEnv

from guardia.board.core.actors import Actor
from guardia.board.organization import chart as organization_chart
from guardia.org import chart

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # a Friday noon in Seoul


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def later(self, **much: float) -> None:
        """Move the clock forward."""
        self.now += timedelta(**much)


def rule(env: BoardEnv, policy: str, freezes: str = "[]") -> None:
    """Set the policy of MAINTENANCE."""
    head = chart.shipped_chart_path().read_text("utf-8").split("\napprovals:")[0]
    text = f"{head}\napprovals:\n  READ_ONLY: []\n  MAINTENANCE: {policy}\nfreezes: {freezes}\n"
    organization_chart.apply_chart(env.board, text, Actor.operator("test"))
