"""Requests over the control socket, and the errors that come back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from run_coroutine import run_in_own_loop

from guardia.errors import NotFound, ProgrammerError, Refused
from guardia.tools.lab import control


async def handler(request: dict[str, Any]) -> Any:
    match request["do"]:
        case "refuse":
            raise Refused(why="no")
        case "break":
            raise ZeroDivisionError("oops")
    return {"got": request}


def ask(path: Path, do: str) -> Any:
    """Send one request to a server of this test's own."""

    async def live() -> Any:
        server = await control.serve(path, handler)
        try:
            return await asyncio.to_thread(lambda: control.send_request(path, do=do, name="x"))
        finally:
            server.close()

    return run_in_own_loop(live())


def test_a_request_gets_its_result(tmp_path: Path) -> None:
    assert ask(tmp_path / "s", "status") == {"got": {"do": "status", "name": "x"}}


def test_an_error_keeps_its_type_and_text(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no"):
        ask(tmp_path / "s", "refuse")


def test_an_unexpected_error_is_reported_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ProgrammerError, match="ZeroDivisionError: oops"):
        ask(tmp_path / "s", "break")


def test_the_socket_is_private(tmp_path: Path) -> None:
    ask(tmp_path / "s", "status")
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_without_a_fleet_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        control.send_request(tmp_path / "s", do="status")
    with pytest.raises(NotFound):
        control.ping(tmp_path / "s")
