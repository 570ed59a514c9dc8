"""A question before acts that cannot be undone; `--yes` skips it, and so does a script."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from guardia.cli.command_permissions import commands
from guardia.i18n import t

IRREVERSIBLE = frozenset(
    {
        "audit acknowledge", "budget raise", "directive", "force", "maintenance end",
        "person deactivate", "person password", "person role", "release", "rollout back",
        "rollout cancel",
    }
)  # fmt: skip
"""Acts whose effect stays: they end, delete or hand out something. Others ask on their own:
`do`, `approve`, `reject`, `ask-changes`, `fire`, `org apply`, `org rollback`, `cmdb apply`,
`server remove`. `kill` never asks: in an emergency a question costs time."""
_ENDING = frozenset({"remove", "revoke", "rotate", "delete"})
"""Last words of further commands whose effect stays."""
_PARAMETER = "yes"


def needs_question(name: str) -> bool:
    """Return whether the effect of a command cannot be undone."""
    return name in IRREVERSIBLE or name.rpartition(" ")[2] in _ENDING


def add_questions(app: typer.Typer) -> None:
    """Ask before every irreversible act that has no question of its own."""
    for name, command in commands(app):
        known = inspect.signature(command.callback).parameters
        if needs_question(name) and _PARAMETER not in known:
            command.callback = _asking(name, command.callback)


def is_interactive() -> bool:
    """Return whether a person is at the terminal."""
    return sys.stdin.isatty()


def _asking(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    option = Annotated[bool, typer.Option("--yes", help=t("issues.cli.yes"))]

    @wraps(run)
    def asking(*args: Any, yes: bool = False, **words: Any) -> Any:
        if not yes and is_interactive():
            typer.confirm(t("issues.cli.really", command=f"guardia {name}"), abort=True)
        return run(*args, **words)

    old = inspect.signature(run, eval_str=True)
    new = inspect.Parameter(
        _PARAMETER, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option
    )
    asking.__signature__ = old.replace(  # type: ignore[attr-defined]
        parameters=[*old.parameters.values(), new]
    )
    asking.__annotations__ = {
        **{p.name: p.annotation for p in old.parameters.values()},
        _PARAMETER: option,
    }
    return asking
