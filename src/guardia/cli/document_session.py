"""What the commands about documents share: the open store, and results as JSON or a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from guardia.cli.installation import open_installation
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.artifacts.blob_store import BlobStore
    from guardia.board.core.context import BoardContext


@contextmanager
def opened() -> Iterator[tuple[BoardContext, BlobStore]]:
    """Open the board and its store of files."""
    from guardia.board.artifacts.blob_store import BlobStore

    settings = Settings()
    with open_installation(settings) as installation, installation.board() as board:
        yield board, BlobStore.of(settings)


def say(words: dict[str, Any], sentence: str, as_json: bool) -> None:
    """Print a result, as JSON or as a sentence."""
    if as_json:
        print_json(words)
    else:
        sys.stdout.write(sentence + "\n")


def print_json(what: Any) -> None:
    """Print a result as one line of JSON."""

    def plain(value: object) -> object:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    sys.stdout.write(json.dumps(what, ensure_ascii=False, default=plain) + "\n")
