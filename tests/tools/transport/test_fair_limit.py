"""Places by key, in the order of asking."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from waiting import PATIENCE, wait_until

from guardia.tools.transport.fair_limit import FairLimit


def late() -> float:
    return time.monotonic() + PATIENCE


def test_a_key_has_its_own_places() -> None:
    limit = FairLimit[str](1)
    assert limit.take("a", late()) and limit.take("b", late())
    assert not limit.take("a", time.monotonic())
    limit.give_back("a")
    assert limit.take("a", time.monotonic())


def test_places_go_to_those_who_wait_longest() -> None:
    limit, order = FairLimit[str](1), list[int]()
    limit.take("a", late())

    def ask(number: int) -> None:
        assert limit.take("a", late())
        order.append(number)
        limit.give_back("a")

    with ThreadPoolExecutor(5) as threads:
        for number in range(5):
            threads.submit(ask, number)
            assert wait_until(
                lambda n=number: len(limit._queues["a"].waiting) == n + 1,  # type: ignore[misc]
                pause=0.001,
            )
        limit.give_back("a")
    assert order == [0, 1, 2, 3, 4]
    assert limit._queues == {}


def test_one_that_gives_up_leaves_the_queue() -> None:
    limit, cancel = FairLimit[str](1), threading.Event()
    limit.take("a", late())
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(limit.take, "a", late(), cancel.is_set)
        cancel.set()
        assert waiting.result(PATIENCE) is False
    limit.give_back("a")
    assert limit.take("a", time.monotonic())
