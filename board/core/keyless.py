"""Context of a process without keys, like `guardia kill`: refuses everything that signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

from guardia.board.audit.signing import DecisionSigner
from guardia.board.core.context import BoardContext, utc_now
from guardia.board.core.local_stop import LocalStop
from guardia.board.core.planner import (
    ActionDraft,
    ArgumentOption,
    ReadEvidence,
    ToolEntry,
    ToolOption,
    Touched,
)
from guardia.errors import ProgrammerError, Refused
from guardia.i18n import t

if TYPE_CHECKING:
    from guardia.board.audit.witness_files import WitnessFiles
    from guardia.board.core.plan import ToolCall
    from guardia.db.engine import Database
    from guardia.org.directory import Host


def keyless_context(
    database: Database,
    local_stop: LocalStop | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> BoardContext:
    """Return a context that refuses to sign a decision or a checkpoint, and to plan."""
    return BoardContext(
        database,
        decision_signer=DecisionSigner.without_key(),
        notary=NoNotary(),
        planner=NoPlanner(),
        local_stop=local_stop,
        clock=clock,
    )


class NoNotary:
    """Refuses to sign checkpoints."""

    @property
    def witness_files(self) -> WitnessFiles:
        """Raises `ProgrammerError`."""
        _refuse()

    def sign(self, _board: BoardContext) -> NoReturn:
        """Raises `ProgrammerError`."""
        _refuse()

    def root_key(self) -> NoReturn:
        """Raises `ProgrammerError`."""
        _refuse()

    def key(self, _board: BoardContext) -> NoReturn:
        """Raises `ProgrammerError`."""
        _refuse()


class NoPlanner:
    """Offers no tool and refuses to plan."""

    def options(self) -> tuple[ToolOption, ...]:
        """Return an empty tuple."""
        return ()

    def reads(self) -> frozenset[str]:
        """Return nothing: it knows no tool."""
        return frozenset()

    def read_options(self) -> tuple[ToolOption, ...]:
        """Return an empty tuple."""
        return ()

    def arguments(self, tool: str) -> tuple[ArgumentOption, ...]:
        """Return nothing: it knows no tool."""
        return ()

    def build_read(self, draft: ActionDraft) -> NoReturn:
        """Raises `Refused`."""
        raise Refused(why=t("board.no_planner"))

    def resolving_read(self, paths: Sequence[str]) -> None:
        """Return nothing: it knows no tool."""

    def touched(self, call: ToolCall, host: Host) -> Touched:
        """Return unknown paths: it knows no tool."""
        return Touched(paths=None)

    def catalogue(self) -> tuple[ToolEntry, ...]:
        """Return an empty tuple."""
        return ()

    def build_action(
        self,
        draft: ActionDraft,
        host: Host,
        category: str,
        evidence: Sequence[ReadEvidence] = (),
    ) -> NoReturn:
        """Raises `Refused`."""
        raise Refused(why=t("board.no_planner"))

    def permitted_values(
        self, draft: ActionDraft, evidence: Sequence[ReadEvidence]
    ) -> dict[str, tuple[str, ...]]:
        """Return nothing: it knows no tool."""
        return {}

    def generated_arguments(self, tool: str) -> frozenset[str]:
        """Return nothing: it knows no tool."""
        return frozenset()


def _refuse() -> NoReturn:
    raise ProgrammerError(why="this process holds no key that signs checkpoints")
