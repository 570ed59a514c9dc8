"""Build concrete actions from tool calls: everything that will run is fixed here, once."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from guardia.board.core.labels import to_seoul_time
from guardia.board.core.plan import Action, Check, Risk, ToolCall
from guardia.errors import Invalid, ProgrammerError
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import catalog, enabled
from guardia.tools.command import Command
from guardia.tools.tool import Tool, ToolArgs

_TRANSLATED_ERRORS = frozenset(
    {
        "missing",
        "extra_forbidden",
        "string_pattern_mismatch",
        "int_parsing",
        "greater_than",
        "less_than",
        "literal_error",
    }
)
"""Types of argument errors that have a translated message."""


def propose(call: ToolCall, host: Host) -> Action:
    """Build the action of `call` on `host`: command, checks and undo with their final values.

    Raises `Refused` for an unknown tool, one that an operator has to enable, or a service that the
    host lacks, `Invalid` for invalid arguments. Deterministic: proposing the call of an action
    again gives an equal action.
    """
    tool, args, command = prepare(call, host)
    enabled.require_enabled(tool)
    return _action(tool, args, command, host)


def propose_again(action: Action, host: Host) -> Action:
    """Build the action of an approved call as it would be planned now, also if its tool is off.

    What was begun can be undone even after an operator has disabled the tool.
    """
    return _action(*prepare(action.call, host), host)


def _action(tool: Tool[Any], args: ToolArgs, command: Command, host: Host) -> Action:
    undo = tool.undo(args) if tool.undo else None
    if undo is not None:
        undo = _require_runnable(undo, host)
    return Action(
        call=_call(tool, args),
        risk=tool.risk,
        effect=_effect(tool, args, host),
        command=command.masked,
        precheck=_require_reads(tool.precheck(args), host),
        verify=_require_reads(tool.verify(args), host),
        undo=undo,
        undo_verify=_require_reads(tool.undo_verify(args), host),
        difference=tool.difference(args) if tool.difference else "",
        irreversible=t(tool.irreversible) if tool.irreversible else None,
    )


def _effect(tool: Tool[Any], args: ToolArgs, host: Host) -> str:
    effect = t(f"tools.{tool.name}.effect", **_displayed(args), server=host.server_id)
    return " ".join(filter(None, (effect, enabled.untried_note(tool))))


def prepare(call: ToolCall, host: Host) -> tuple[Tool[Any], ToolArgs, Command]:
    """Return the tool of `call`, its validated arguments and its command on `host`."""
    tool = catalog.find(call.tool)
    try:
        args = tool.args.model_validate(call.args)
    except ValidationError as error:
        raise invalid_argument(call.tool, error) from None
    return tool, args, tool.command(args, host)


def invalid_argument(tool: str, error: ValidationError) -> Invalid:
    """Build the error for the first invalid argument. It names the argument, never its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(map(str, first["loc"]))
    kind, context = first["type"], dict(first.get("ctx", {}))
    if "expected" in context:  # 'A', 'B' or 'C'
        context["expected"] = re.sub(r"'(.*?)'( or |, )?", r"\1, ", context["expected"])[:-2]
    why = t(f"tools.argument.{kind}", **context) if kind in _TRANSLATED_ERRORS else first["msg"]
    return Invalid(what=f"{tool} {path}".rstrip(), why=why, argument=path.partition(".")[0])


def _call(tool: Tool[Any], args: ToolArgs) -> ToolCall:
    return ToolCall(tool=tool.name, args=args.model_dump(mode="json"))


def _require_runnable(call: ToolCall, host: Host) -> ToolCall:
    """Return `call` normalized. Raises now if it cannot run, not when an undo is needed."""
    tool, args, _ = prepare(call, host)
    return _call(tool, args)


def _require_reads(checks: tuple[Check, ...], host: Host) -> tuple[Check, ...]:
    for check in checks:
        tool, _, _ = prepare(check.call, host)
        if tool.risk is not Risk.READ:
            raise ProgrammerError(why=f"{tool.name} is used as a check")
    return checks


def _displayed(args: ToolArgs) -> dict[str, object]:
    found = args.model_dump()
    return {name: to_seoul_time(v) if isinstance(v, str) else v for name, v in found.items()}
