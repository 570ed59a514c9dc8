"""Build only what a command line names: the parameters of all commands take long."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import typer


def narrowed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """Return the program with only the command or group that the first of `words` names.

    All of it if that is none of them: the help and the error need every name.
    """
    name = words[0] if words else None
    commands = [info for info in app.registered_commands if info.name == name]
    groups = [info for info in app.registered_groups if info.name == name]
    if not (commands or groups):
        return app
    named = copy(app)
    named.registered_commands, named.registered_groups = commands, groups
    return named
