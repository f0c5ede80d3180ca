"""When calls are stopped and when they are tried again, to the fraction of a second; over sockets: `test_breaker`."""

import asyncio
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from runtime.errors import KeyRefused, PermanentError, ProviderError, TemporaryError
from runtime.observability.metrics import Metrics
from runtime.resilience.breakers import FAILURES, LIMIT, SEVERAL, Breakers, CallScope
from tests.observability.scrape import Scrape

INTERVAL = 0.2
DOWN = TemporaryError("Down.")
ONE = CallScope("openai", client="one", model="m")
OTHER = CallScope("openai", client="other", model="m")

Fails = Callable[[], None]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def breakers(metrics: Metrics) -> Breakers:
    """Those who are stopped stay so for a whole test."""
    return Breakers(600, metrics)


@pytest.fixture
def brief(metrics: Metrics) -> Breakers:
    """Those who are stopped may try again soon."""
    return Breakers(INTERVAL, metrics)


async def call(breakers: Breakers, scope: CallScope, error: ProviderError | None = None, within: float = 0.0) -> str:
    """A call that ends so: "answered", "failed", or "stopped" when it might not begin in time."""
    began = False
    try:
        async with breakers.passing(scope, time.monotonic() + within):
            began = True
            if error is not None:
                raise error
    except ProviderError:
        return "failed" if began else "stopped"
    return "answered"


async def fail(breakers: Breakers, scope: CallScope, times: int = FAILURES) -> None:
    """As many calls that fail."""
    for _ in range(times):
        await call(breakers, scope, DOWN)


async def test_only_the_model_that_fails_is_left_alone(breakers: Breakers) -> None:
    await fail(breakers, ONE)

    assert await call(breakers, ONE) == "stopped"
    assert await call(breakers, ONE._replace(model="another")) == "answered"
    assert await call(breakers, ONE._replace(resource="vs_1")) == "answered"


async def test_a_provider_that_works_again_is_used_within_one_interval_however_long_it_was_down(
    brief: Breakers,
) -> None:
    await fail(brief, ONE)
    for _ in range(5):
        assert await call(brief, ONE, DOWN, within=10) == "failed"

    assert await call(brief, ONE, within=INTERVAL) == "answered"


async def test_a_probe_that_hangs_keeps_no_other_from_trying(brief: Breakers) -> None:
    await fail(brief, ONE)
    hangs = brief.passing(ONE, time.monotonic() + 10)
    await hangs.__aenter__()

    assert await call(brief, ONE, within=10) == "answered"
    assert await call(brief, ONE) == "answered"
    await hangs.__aexit__(TemporaryError, DOWN, None)


async def test_a_probe_without_a_result_leaves_its_place_to_the_next_call(brief: Breakers) -> None:
    await fail(brief, ONE)
    with pytest.raises(ZeroDivisionError):
        async with brief.passing(ONE, time.monotonic() + 10):
            raise ZeroDivisionError

    assert await call(brief, ONE) == "answered"


async def test_the_pause_that_the_provider_asks_a_client_for_is_kept(brief: Breakers) -> None:
    await fail(brief, ONE, FAILURES - 1)
    asked = time.monotonic()
    await call(brief, ONE, TemporaryError("Later.", delay=3 * INTERVAL))

    assert await call(brief, ONE, within=10) == "answered"
    assert time.monotonic() - asked >= 3 * INTERVAL


async def test_calls_of_several_clients_that_fail_stop_each_of_them_before_it_has_failed_often(
    breakers: Breakers,
) -> None:
    scopes = [ONE._replace(client=f"client {number}") for number in range(SEVERAL)]
    for scope in scopes:
        await fail(breakers, scope, FAILURES // SEVERAL + 1)

    assert [await call(breakers, scope) for scope in scopes] == ["stopped"] * SEVERAL


@pytest.mark.parametrize(("successes", "ended"), [(FAILURES, "stopped"), (FAILURES + 1, "answered")])
async def test_a_client_is_stopped_when_half_of_its_calls_fail(breakers: Breakers, successes: int, ended: str) -> None:
    for _ in range(successes):
        await call(breakers, ONE)
    await fail(breakers, ONE)

    assert await call(breakers, ONE) == ended


async def test_a_success_of_another_client_keeps_the_shared_breaker_closed(breakers: Breakers) -> None:
    for number in range(SEVERAL):
        await fail(breakers, ONE._replace(client=f"client {number}"), FAILURES // SEVERAL)
        await call(breakers, OTHER)
    await fail(breakers, ONE, FAILURES // SEVERAL)

    assert await call(breakers, ONE) == "answered"


async def test_many_failures_of_one_client_never_count_as_an_outage(breakers: Breakers) -> None:
    for number in range(10):
        await fail(breakers, ONE._replace(model=f"model {number}"))

    assert await call(breakers, OTHER) == "answered"


async def test_in_an_outage_one_call_an_interval_is_made_for_clients_that_have_not_failed(breakers: Breakers) -> None:
    for number in range(SEVERAL):
        await fail(breakers, ONE._replace(client=f"client {number}"), FAILURES // SEVERAL + 1)

    fresh = [await call(breakers, ONE._replace(client=f"fresh {number}"), DOWN) for number in range(3)]

    assert fresh == ["failed", "stopped", "stopped"]


async def test_a_refused_key_stops_everybody_at_once(breakers: Breakers) -> None:
    assert await call(breakers, ONE, KeyRefused("No.")) == "failed"

    assert [await call(breakers, scope) for scope in (ONE, OTHER)] == ["stopped", "stopped"]


async def test_the_probe_after_a_pause_is_not_used_up_by_the_client_that_fails(brief: Breakers) -> None:
    await call(brief, ONE, KeyRefused("No."))
    assert await call(brief, ONE, KeyRefused("No."), within=10) == "failed"

    assert await call(brief, OTHER) == "answered"


async def test_a_refusal_is_a_word_of_a_provider_that_works(brief: Breakers) -> None:
    await fail(brief, ONE)

    assert await call(brief, ONE, PermanentError("400"), within=10) == "failed"
    assert await call(brief, ONE) == "answered"


async def test_a_call_that_is_cancelled_while_it_waits_keeps_no_place(brief: Breakers) -> None:
    await call(brief, OTHER, KeyRefused("No."))
    await fail(brief, ONE._replace(client="other", model="x"), 0)
    waiting = asyncio.create_task(call(brief, ONE, within=10))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert await call(brief, ONE, within=10) == "answered"


async def test_no_more_breakers_are_kept_than_the_limit_and_a_dropped_one_shows_no_state(
    breakers: Breakers, metrics: Metrics
) -> None:
    await fail(breakers, ONE)
    shown = Scrape(metrics.exposition(None).decode())
    assert shown.value("horizonai_breaker_state", provider="openai", scope="one") == 2

    for number in range(LIMIT):
        await call(breakers, OTHER._replace(model=f"model {number}"))

    assert await call(breakers, ONE) == "answered"
    shown = Scrape(metrics.exposition(None).decode())
    assert shown.value("horizonai_breaker_state", provider="openai", scope="one") == 0


async def test_it_is_logged_whose_calls_are_stopped_and_why_until_they_are_answered(brief: Breakers) -> None:
    with capture_logs() as logged:
        await fail(brief, ONE)
        await call(brief, ONE, TemporaryError("Still down.", delay=2 * INTERVAL), within=10)
        await call(brief, ONE, within=10)

    whose = {"provider": "openai", "client": "one", "model": "m"}
    assert logged == [
        {"event": "circuit_breaker_opened", "log_level": "error", **whose, "error": "Down.", "next_try_in": 0.2},
        {
            "event": "circuit_breaker_reopened",
            "log_level": "warning",
            **whose,
            "error": "Still down.",
            "next_try_in": 0.4,
        },
        {"event": "circuit_breaker_closed", "log_level": "info", **whose},
    ]


async def test_a_key_that_is_refused_is_logged_as_the_trouble_of_all_who_use_it(brief: Breakers) -> None:
    scope = ONE._replace(account="AC1")
    with capture_logs() as logged:
        await call(brief, scope, KeyRefused("No."))
        await call(brief, scope, KeyRefused("Still no."), within=10)
        await call(brief, scope, within=10)

    said = [(entry["event"], entry["provider"], entry["account"], entry.get("error")) for entry in logged]
    assert said == [
        ("circuit_breaker_opened", "openai", "AC1", "No."),
        ("circuit_breaker_reopened", "openai", "AC1", "Still no."),
        ("circuit_breaker_closed", "openai", "AC1", None),
    ]
    assert not any("client" in entry for entry in logged)


async def test_a_client_is_shown_stopped_as_long_as_one_of_its_models_is(brief: Breakers, metrics: Metrics) -> None:
    def shown() -> float:
        page = Scrape(metrics.exposition(None).decode())
        return page.value("horizonai_breaker_state", provider="openai", scope="one")

    other = ONE._replace(model="other")
    await fail(brief, ONE)
    await fail(brief, other)

    assert await call(brief, ONE, within=10) == "answered"
    assert shown() == 2
    assert await call(brief, other, within=10) == "answered"
    assert shown() == 0
