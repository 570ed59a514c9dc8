"""The model server for tests of brains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model server that needs no key."""
    with ModelServer() as running:
        yield running
