"""An account is called no faster than its rate limit allows, and not at all while it asked for quiet."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from reconciler.errors import Stopped, TemporaryError
from reconciler.writers.rate_limit import RateLimit
from reconciler.writers.retry import Patience, repeat_safe


def test_calls_in_flight_are_bounded() -> None:
    patience = Patience(RateLimit(concurrency=3), threading.Event())
    gate, most, in_flight, lock = threading.Event(), [0], [0], threading.Lock()

    def call() -> None:
        with lock:
            in_flight[0] += 1
            most[0] = max(most[0], in_flight[0])
            if in_flight[0] == 3:
                gate.set()
        gate.wait(10)
        with lock:
            in_flight[0] -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: patience.call(call), range(12)))
    assert most == [3]


def test_calls_beyond_the_burst_are_spread_by_the_rate() -> None:
    rate_limit, started = RateLimit(concurrency=8, rate=50, burst=5), []
    stop = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Patience(rate_limit, stop).call(lambda: started.append(time.monotonic())), range(20)))
    assert max(started) - min(started) >= (20 - 5) / 50 - 0.02


def test_a_429_to_one_call_holds_back_the_others() -> None:
    patience = Patience(RateLimit(concurrency=4), threading.Event(), first_wait=0.01)
    answers = iter([TemporaryError("too many", delay=0.3)])
    refused: list[float] = []

    def call() -> float:
        for error in answers:
            refused.append(time.monotonic())
            raise error
        return time.monotonic()

    again = repeat_safe(call, patience)
    assert again - refused[0] >= 0.3
    other = repeat_safe(time.monotonic, patience)
    assert other - refused[0] >= 0.3


def test_after_a_stop_only_what_follows_up_is_called() -> None:
    stop = threading.Event()
    patience = Patience(RateLimit(concurrency=1, rate=0.01), stop)
    stop.set()
    calls: list[str] = []
    try:
        patience.call(lambda: calls.append("new"))
    except Stopped:
        calls.append("stopped")
    patience.call(lambda: calls.append("follow-up"), follows_up=True)
    assert calls == ["stopped", "follow-up"]
