"""Who acts on the command line: an operator of this installation, with no account of their own."""

from __future__ import annotations

from guardia.board.core.actors import Actor

CLI_OPERATOR = Actor.operator("cli")
