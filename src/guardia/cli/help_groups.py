"""The help of `guardia`: commands in groups, and the words of the help itself in Korean."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

from guardia.cli import usage_errors
from guardia.cli.command_permissions import commands
from guardia.i18n import t

GROUPS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "issues": (
            "list", "show", "do", "queue", "assign", "goal", "ask", "reopen", "accept", "runs",
            "sla", "calendar", "form", "change", "paper", "dashboard", "costs", "budget",
        ),
        "decisions": (
            "approve", "reject", "ask-changes", "plan", "delegate", "standing", "rule", "rules",
            "autonomy",
        ),
        "control": ("kill", "release", "directive", "force", "maintenance", "notice"),
        "servers": (
            "server", "institution", "credential", "cmdb", "tools", "artifact", "rollout",
            "remote",            "document", "lab",
        ),
        "people": ("person", "right", "token", "owner", "skill", "team", "duty", "absence"),
        "agents": ("agent", "hire", "fire", "heartbeat", "note", "org", "eval", "mcp"),
        "operation": (
            "init", "up", "serve", "worker", "workers", "channel",
            "status", "db", "keys", "audit", "webhook", "demo",
            "version",
        ),
    }
)  # fmt: skip
"""The commands of each group, in the order of the help."""


def group_commands(app: typer.Typer) -> None:
    """Put every command into its group of the help, and order them."""
    panels = {name: group for group, names in GROUPS.items() for name in names}
    order = list(panels)
    known: list[Any] = [*app.registered_commands, *app.registered_groups]
    for info in known:
        if info.name in panels:
            info.rich_help_panel = t(f"issues.cli.group.{panels[info.name]}")
    app.registered_commands.sort(key=lambda info: _place(order, info.name))
    app.registered_groups.sort(key=lambda info: _place(order, info.name))


def _place(order: list[str], name: str | None) -> int:
    return order.index(name) if name in order else len(order)


class _Command(TyperCommand):
    def get_help_option(self, ctx: Any) -> Any:
        return _in_our_words(super().get_help_option(ctx))


class _Group(TyperGroup):
    def make_context(self, *given: Any, **more: Any) -> Any:
        with usage_errors.translated():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with usage_errors.translated():
            return super().invoke(ctx)

    def get_help_option(self, ctx: Any) -> Any:
        return _in_our_words(super().get_help_option(ctx))


def _in_our_words(option: Any) -> Any:
    """Return the option `--help` with our text."""
    if option is not None:
        option.help = t("issues.cli.word.help")
    return option


def translate_help(app: typer.Typer) -> None:
    """Replace the English words that the library puts around our texts."""
    for _name, command in commands(app):
        command.cls = _Command
    _translate_groups(app)
    rich_utils.ARGUMENTS_PANEL_TITLE = t("issues.cli.word.arguments")
    rich_utils.OPTIONS_PANEL_TITLE = t("issues.cli.word.options")
    rich_utils.COMMANDS_PANEL_TITLE = t("issues.cli.word.commands")
    rich_utils.ERRORS_PANEL_TITLE = t("issues.cli.word.error")
    rich_utils.ABORTED_TEXT = t("issues.cli.word.aborted")
    rich_utils.DEFAULT_STRING = t("issues.cli.word.default")
    rich_utils.REQUIRED_LONG_STRING = t("issues.cli.word.required")
    rich_utils.RICH_HELP = t(
        "issues.cli.word.see_help", command_path="{command_path}", help_option="{help_option}"
    )


def _translate_groups(app: typer.Typer) -> None:
    app.info.cls = _Group
    for info in app.registered_groups:
        info.cls = _Group
        if info.typer_instance is not None:
            _translate_groups(info.typer_instance)
