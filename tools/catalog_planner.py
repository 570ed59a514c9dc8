"""Catalog for people who write plans: validates their drafts and builds actions from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from guardia.board.core.plan import Action, Risk, ToolCall
from guardia.board.core.planner import (
    ActionDraft,
    ArgumentOption,
    ReadEvidence,
    ToolEntry,
    ToolOption,
    Touched,
)
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import catalog, choices, enabled, planning, policy, reference
from guardia.tools.families.real_paths import REAL_PATHS, RealPathsArgs
from guardia.tools.tool import ServiceArgs, Tool

_PATH = re.compile(r"(?<![\w./])/[^\s'\"$;|&<>(),:]*")


class CatalogPlanner:
    """`board.core.planner.Planner` over the whole catalog."""

    def options(self) -> tuple[ToolOption, ...]:
        """Return every tool that changes something."""
        return _options(is_read=False)

    def reads(self) -> frozenset[str]:
        """Return the names of all reads."""
        return frozenset(t.name for t in catalog.CATALOG.values() if t.risk is Risk.READ)

    def read_options(self) -> tuple[ToolOption, ...]:
        """Return every tool that only reads."""
        return _options(is_read=True)

    def arguments(self, tool: str) -> tuple[ArgumentOption, ...]:
        """Return the arguments of a tool without those that it makes up for each plan."""
        known = catalog.CATALOG.get(tool)
        return tuple(map(_argument, reference.arguments(known))) if known else ()

    def build_read(self, draft: ActionDraft) -> ToolCall:
        """Return the call of a read with its values as the tool understands them."""
        tool = catalog.find(draft.tool)
        if tool.risk is not Risk.READ:
            raise Refused(why=t("gate.not_a_read", tool=tool.name))
        return _call(tool, draft)

    def resolving_read(self, paths: Sequence[str]) -> ToolCall | None:
        """Return the read that resolves links, or `None` if it cannot take the paths."""
        try:
            args = RealPathsArgs(paths=tuple(dict.fromkeys(paths)))
        except ValidationError:
            return None
        return ToolCall(tool=REAL_PATHS, args=args.model_dump(mode="json"))

    def touched(self, call: ToolCall, host: Host) -> Touched:
        """Return the services and paths of a change, as its command names them.

        A path may arrive in two parts, such as a folder of the service and the name of a file.
        """
        try:
            _, args, command = planning.prepare(call, host)
        except Exception:
            # Whatever the reason: rules about paths then forbid it.
            return Touched(paths=None)
        service = args.service if isinstance(args, ServiceArgs) else None
        texts = [v for v in args.model_dump().values() if isinstance(v, str) and v != service]
        given = [*command.words, *(piece for piece in command.stdin if isinstance(piece, str))]
        folders = [path for word in given for path in _paths_in(word)]
        paths = dict.fromkeys([*folders, *(f"{a}/{b}" for a in folders for b in texts)])
        return Touched(frozenset({service} if service else ()), tuple(paths))

    def catalogue(self) -> tuple[ToolEntry, ...]:
        """Return every tool as people read about it."""
        return reference.entries()

    def build_action(
        self,
        draft: ActionDraft,
        host: Host,
        category: str,
        evidence: Sequence[ReadEvidence] = (),
    ) -> Action:
        """Build the action of a draft.

        Raises `Refused` for a read and for a risk that the category does not cover, `Invalid` for a
        value that is not valid or that the evidence contradicts.
        """
        tool = catalog.find(draft.tool)
        if tool.risk is Risk.READ:
            raise Refused(why=t("gate.only_changes", tool=tool.name))
        if not policy.covers(category, tool.risk):
            raise Refused(why=t("gate.risk", tool=tool.name, category=category))
        return planning.propose(choices.completed(_call(tool, draft), evidence), host)

    def permitted_values(
        self, draft: ActionDraft, evidence: Sequence[ReadEvidence]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the permitted values by argument."""
        call = ToolCall(tool=draft.tool, args=dict(draft.args))
        return choices.permitted_values(call, evidence)

    def generated_arguments(self, tool: str) -> frozenset[str]:
        """Return the arguments that a tool makes up for each plan."""
        known = catalog.CATALOG.get(tool)
        return known.args.generated if known else frozenset()


def _call(tool: Tool[Any], draft: ActionDraft) -> ToolCall:
    """Return a draft as a call. Raises `Invalid` for the first wrong value."""
    written = {name: text.strip() for name, text in draft.args.items() if text.strip()}
    try:
        args = tool.args.model_validate_strings(written)
    except ValidationError as error:
        raise planning.invalid_argument(tool.name, error) from None
    return ToolCall(tool=tool.name, args=args.model_dump(mode="json"))


def _options(*, is_read: bool) -> tuple[ToolOption, ...]:
    return tuple(
        ToolOption(tool.name, _option_title(tool), tuple(tool.args.model_fields))
        for tool in catalog.CATALOG.values()
        if (tool.risk is Risk.READ) is is_read
    )


def _argument(given: reference.Argument) -> ArgumentOption:
    choices = tuple(given.kind.split(" | ")) if " | " in given.kind else ()
    return ArgumentOption(given.name, given.kind, given.required, choices)


def _option_title(tool: Tool[Any]) -> str:
    title = t(f"tools.{tool.name}.title")
    return title if enabled.is_enabled(tool) else t("tools.enabled.option", title=title)


def _paths_in(word: str) -> list[str]:
    """Return the absolute paths that a word is or contains, as in `--file=/etc/hosts`."""
    return [word] if word.startswith("/") else _PATH.findall(word)
