"""A failing server is skipped, then probed by one request at a time."""

from __future__ import annotations

from guardia.agents.brain.chat.breaker import CircuitBreaker, breaker_for


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(failures=3, pause=60, clock=clock)
    for _ in range(3):
        assert breaker.allows()
        breaker.record_failure()
    return breaker


def test_three_consecutive_failures_open_it_for_the_pause() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert not breaker.allows()
    clock.now += 59.9
    assert not breaker.allows()


def test_a_success_resets_the_count() -> None:
    breaker = CircuitBreaker(failures=3, clock=Clock())
    for _ in range(5):
        breaker.record_failure()
        breaker.record_failure()
        breaker.record_success()
    assert breaker.allows()


def test_after_the_pause_one_request_probes_the_server() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 60
    assert breaker.allows()
    assert not breaker.allows()
    breaker.record_success()
    assert breaker.allows()
    assert breaker.allows()


def test_a_failed_probe_pauses_again_and_a_lost_one_not_forever() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 60
    assert breaker.allows()
    clock.now += 10
    breaker.record_failure()
    clock.now += 59
    assert not breaker.allows()
    clock.now += 1
    assert breaker.allows()  # and its caller dies without a result
    clock.now += 60
    assert breaker.allows()


def test_agents_on_one_server_share_its_breaker() -> None:
    assert breaker_for("http://vllm:8000/v1") is breaker_for("http://vllm:8000/v1/")
    assert breaker_for("http://vllm:8000/v1") is not breaker_for("http://vllm:8001/v1")
