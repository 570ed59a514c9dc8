"""The actor of the command line: an operator of this installation, without an account."""

from __future__ import annotations

from guardia.board.core.actors import Actor

CLI_OPERATOR = Actor.operator("cli")
