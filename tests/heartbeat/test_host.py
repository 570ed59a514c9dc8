"""A process ends with one clear error if one of its parts ends."""

from __future__ import annotations

import asyncio

import pytest

from guardia.errors import PartEnded
from guardia.heartbeat import host


def test_the_part_that_ended_is_named_not_those_that_ended_with_it() -> None:
    async def work() -> None:
        stop = asyncio.Event()

        async def part() -> None:
            host._require_stopping(stop, "worker")

        async def other() -> None:
            try:
                await stop.wait()
            finally:
                raise KeyError("x")

        async with asyncio.TaskGroup() as group, asyncio.TaskGroup() as inner:
            inner.create_task(other())
            await asyncio.sleep(0)
            group.create_task(part())

    with pytest.raises(PartEnded, match="작업 프로세스"):
        host._serve(work)


def test_a_part_may_end_when_people_stop_the_process() -> None:
    async def work() -> None:
        stop = asyncio.Event()
        stop.set()
        host._require_stopping(stop, "board")

    host._serve(work)
