"""The buttons of a command, by its state."""

from __future__ import annotations

from datetime import datetime

from guardia.board.command import records
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.model import CommandRecord
from guardia.board.core.choices import Choice, ChoiceStyle
from guardia.i18n import t


def open_choices(row: CommandRecord, now: datetime) -> tuple[Choice, ...]:
    """Return what the person may still press."""
    if row.expires_at is not None and row.expires_at <= now:
        return ()
    match row.state:
        case CommandState.CLARIFY:
            return (*_options(row), _button("cancel", row))
        case CommandState.CONFIRM:
            return _button("confirm", row, ChoiceStyle.DANGER), _button("cancel", row)
        case CommandState.SCHEDULED:
            return (_button("cancel", row),)
        case CommandState.DONE if row.undo:
            return (_button("undo", row),)
        case _:
            return ()


def _options(row: CommandRecord) -> list[Choice]:
    value = records.token(row)
    return [Choice("choose", f"{value}.{n}", o["label"]) for n, o in enumerate(row.options)]


def _button(act: str, row: CommandRecord, style: ChoiceStyle = ChoiceStyle.DEFAULT) -> Choice:
    return Choice(act, records.token(row), t(f"commands.button.{act}"), style)
