"""Selection, retirement and expiry of pooled connections."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import PATIENCE

from guardia.tools.transport.pool import ConnectionPool, PoolClosed, PoolExhausted


class Line:
    """A fake connection: a pool only checks whether it is alive, and closes it."""

    def __init__(self) -> None:
        self.open = True

    def is_alive(self) -> bool:
        return self.open

    def close(self) -> None:
        self.open = False


def pool(channels: int = 2, connections: int = 2, idle: float = 60.0) -> ConnectionPool[str, Line]:
    return ConnectionPool(channels=channels, connections=connections, idle=idle)


def soon() -> float:
    return time.monotonic() + 0.05


def test_a_connection_is_shared_up_to_its_channels() -> None:
    kept = pool()
    taken = [kept.acquire("a", Line, soon()) for _ in range(3)]
    assert taken[0].connection is taken[1].connection is not taken[2].connection


def test_another_endpoint_has_its_own_connection() -> None:
    kept = pool()
    assert (
        kept.acquire("a", Line, soon()).connection is not kept.acquire("b", Line, soon()).connection
    )


def test_the_least_busy_connection_is_taken() -> None:
    kept = pool()
    first, _, third = (kept.acquire("a", Line, soon()) for _ in range(3))
    kept.release(first)
    kept.release(first)
    assert kept.acquire("a", Line, soon()).connection is first.connection
    assert third.channels == 1


def test_an_exhausted_pool_raises_after_waiting() -> None:
    kept = pool(channels=1, connections=1)
    kept.acquire("a", Line, soon())
    with pytest.raises(PoolExhausted):
        kept.acquire("a", Line, soon())


def test_a_released_channel_wakes_a_waiter() -> None:
    kept = pool(channels=1, connections=1)
    first = kept.acquire("a", Line, soon())
    threading.Timer(0.05, kept.release, [first]).start()
    assert kept.acquire("a", Line, time.monotonic() + PATIENCE).connection is first.connection


def test_a_dead_connection_is_not_reused() -> None:
    kept = pool()
    first = kept.acquire("a", Line, soon())
    kept.release(first)
    first.connection.close()
    assert kept.acquire("a", Line, soon()).connection is not first.connection


def test_a_retired_connection_closes_with_its_last_channel() -> None:
    kept = pool()
    first = kept.acquire("a", Line, soon())
    second = kept.acquire("a", Line, soon())
    kept.release(first, retire=True)
    assert second.connection.is_alive()
    assert kept.acquire("a", Line, soon()).connection is not first.connection
    kept.release(second)
    assert not second.connection.is_alive()


def test_an_idle_connection_is_closed() -> None:
    kept = pool(idle=0.01)
    first = kept.acquire("a", Line, soon())
    kept.release(first)
    time.sleep(0.03)
    kept.acquire("b", Line, soon())
    assert not first.connection.is_alive()


def test_a_full_server_gets_fewer_channels() -> None:
    kept = pool(channels=8, connections=2)
    first = kept.acquire("a", Line, soon())
    refused = kept.acquire("a", Line, soon())
    refused.mark_full()
    kept.release(refused)
    assert kept.acquire("a", Line, soon()).connection is not first.connection


def test_a_burst_opens_one_connection_at_a_time() -> None:
    kept = pool(channels=10, connections=4)
    opened = []

    def connect() -> Line:
        time.sleep(0.05)
        opened.append(Line())
        return opened[-1]

    with ThreadPoolExecutor(10) as threads:
        list(
            threads.map(
                lambda _: kept.acquire("a", connect, time.monotonic() + PATIENCE), range(10)
            )
        )
    assert len(opened) == 1


def test_after_a_failed_attempt_the_next_caller_tries() -> None:
    kept = pool()

    def fail() -> Line:
        raise OSError

    with pytest.raises(OSError):
        kept.acquire("a", fail, soon())
    assert kept.acquire("a", Line, soon()).connection.is_alive()


def test_close_is_final() -> None:
    kept = pool()
    first = kept.acquire("a", Line, soon())
    kept.close()
    assert not first.connection.is_alive()
    with pytest.raises(PoolClosed):
        kept.acquire("a", Line, soon())
    kept.release(first)


def test_a_connection_opened_during_close_is_closed() -> None:
    kept = pool()
    late = Line()

    def connect() -> Line:
        kept.close()
        return late

    with pytest.raises(PoolClosed):
        kept.acquire("a", connect, soon())
    assert not late.is_alive()
