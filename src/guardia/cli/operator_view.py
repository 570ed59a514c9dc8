"""Whom reads of the command line are made for: the operator of this installation sees all."""

from __future__ import annotations

from guardia.org.directory import PersonInfo

OPERATOR_VIEWER = PersonInfo(id="operator", name="operator", title="", role="admin")
