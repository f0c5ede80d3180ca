"""GET /metrics after real traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from runtime.observability.metrics import (
    ERROR_CLASSES,
    MODELS_LIMIT,
    OTHER_CODE,
    Metrics,
    UnsignedReason,
    error_class,
)
from runtime.price_list import prices_of_messages
from runtime.store.delivery_errors import NO_CODE, OF_CLIENT
from runtime.store.usage.ledger import Line as LedgerLine
from runtime.store.usage.quantities import Usage
from schemas.default_tariffs import DEFAULT
from tests.observability.scrape import Scrape, scrape
from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook
from tests.sandbox_process import Sandbox, wait_until


def test_the_page_needs_a_token(runtime: Runtime) -> None:
    assert runtime.api("GET", "/metrics", token=None).status == 401


def test_a_message_and_its_answer_are_counted_for_their_client(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line()
    client = open_to.bot["id"]

    open_to.ask("Hola")
    wait_until(lambda: scrape(runtime).value("horizonai_turns_in_flight", client=client) == 0, what="the turn's end")

    seen = scrape(runtime)
    assert seen.value("horizonai_inbound_messages_total", client=client, result="accepted") == 1
    assert seen.value("horizonai_turns_total", client=client, result="answered") == 1
    assert seen.value("horizonai_sends_total", client=client, channel="twiml", result="sent") == 1
    assert seen.value("horizonai_time_to_answer_seconds_count", client=client) == 1


def test_a_model_is_counted_with_time_tokens_and_list_price(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line(model="gpt-6-luna")
    labels = {"client": open_to.bot["id"], "model": "gpt-6-luna"}

    open_to.ask("Hola")
    wait_until(lambda: scrape(runtime).value("horizonai_cost_usd_total", **labels) > 0, what="the price")

    seen = scrape(runtime)
    fresh = seen.value("horizonai_tokens_total", kind="input", **labels)
    written = seen.value("horizonai_tokens_total", kind="output", **labels)
    cached = seen.value("horizonai_tokens_total", kind="cached", **labels)
    assert seen.value("horizonai_model_seconds_count", **labels) == 1
    assert fresh > 0
    assert seen.value("horizonai_cost_usd_total", **labels) == pytest.approx(
        (0.10 * fresh + 0.01 * cached + 0.50 * written) / 1e6
    )
    assert seen.value("horizonai_unpriced_usage_total", **labels) == 0


def test_messages_are_counted_by_kind_as_the_ledger_has_them(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line()
    client = open_to.bot["id"]

    open_to.ask("Hola")
    labels = {"client": client, "model": ""}
    wait_until(
        lambda: "meta_service" in kinds_of(scrape(runtime), "horizonai_cost_usd_total", client), what="the delivery"
    )

    seen = scrape(runtime)
    assert kinds_of(seen, "horizonai_cost_usd_total", client) >= {"twilio_in", "twilio_out", "model_input"}
    assert seen.value("horizonai_cost_usd_total", kind="twilio_in", **labels) == pytest.approx(0.005)
    assert seen.value("horizonai_cost_usd_total", kind="twilio_out", **labels) == pytest.approx(0.005)
    assert seen.value("horizonai_cost_usd_total", kind="meta_service", **labels) == 0
    left = "horizonai_free_service_messages_left"
    assert seen.value(left, client=client, number=open_to.number) == 999


def kinds_of(seen: Scrape, name: str, client: str) -> set[str]:
    """Kinds of usage that a client has a series of."""
    family = seen.families[name.removesuffix("_total")]
    return {sample.labels["kind"] for sample in family.samples if sample.labels["client"] == client}


def test_a_country_without_a_tariff_is_counted_as_unpriced_and_not_as_free() -> None:
    prices = prices_of_messages(DEFAULT, "la-cocina", "ES")
    metrics = Metrics()

    metrics.charged("la-cocina", [LedgerLine(prices.meta["service"], 1), LedgerLine(prices.message_out, 1)])

    page = metrics.exposition(None).decode()
    assert 'horizonai_unpriced_usage_total{client="la-cocina",kind="meta_service",model=""} 1.0' in page
    assert 'horizonai_cost_usd_total{client="la-cocina",kind="twilio_out",model=""} 0.005' in page
    assert 'horizonai_cost_usd_total{client="la-cocina",kind="meta_service"' not in page


def test_every_bot_has_its_free_messages_before_its_first(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line()

    left = scrape(runtime).value("horizonai_free_service_messages_left", number=open_to.number)

    assert left == 1000


def test_first_answers_that_come_together_are_all_priced(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line(model="gpt-4o-mini")
    labels = {"client": open_to.bot["id"], "model": "gpt-4o-mini"}

    for user in range(3):
        open_to.write("Hola", f"+5691234567{user}", wait=0)
    wait_until(lambda: scrape(runtime).value("horizonai_model_seconds_count", **labels) == 3, what="the answers")

    def is_priced() -> bool:
        seen = scrape(runtime)
        fresh, cached, written = (
            seen.value("horizonai_tokens_total", kind=kind, **labels) for kind in ("input", "cached", "output")
        )
        cost = (0.15 * fresh + 0.075 * cached + 0.60 * written) / 1e6
        return bool(seen.value("horizonai_cost_usd_total", **labels) == pytest.approx(cost))

    wait_until(is_priced, what="the price of all three")


def test_a_model_without_a_known_price_is_counted_as_such_and_not_as_free(
    runtime: Runtime, sandbox: Sandbox, line: Callable[..., Line]
) -> None:
    open_to = line(model="gpt-6.2-sol")
    client = open_to.bot["id"]

    open_to.ask("Hola")
    wait_until(lambda: scrape(runtime).value("horizonai_unpriced_usage_total", client=client, model="gpt-6.2-sol") > 0)

    assert "gpt-6.2-sol" not in scrape(runtime).labels_of("horizonai_cost_usd_total", "model")


def test_a_message_that_twilio_delivers_twice_is_counted_as_a_duplicate(
    runtime: Runtime, line: Callable[..., Line]
) -> None:
    open_to = line()
    fields = inbound_fields(open_to.number)

    for _ in range(2):
        signed_webhook(runtime, fields)

    seen = scrape(runtime)
    assert seen.value("horizonai_inbound_messages_total", client=open_to.bot["id"], result="accepted") == 1
    assert seen.value("horizonai_inbound_messages_total", client=open_to.bot["id"], result="duplicate") == 1


def test_a_forged_message_counts_for_no_client(runtime: Runtime, line: Callable[..., Line]) -> None:
    open_to = line()
    before = scrape(runtime)

    signed_webhook(runtime, inbound_fields(open_to.number), token="forged")
    signed_webhook(runtime, inbound_fields(open_to.number, AccountSid="AC" + "1" * 32), token="forged")
    runtime.request("POST", "/webhook/whatsapp", b"x", {"Content-Type": "application/x-www-form-urlencoded"})
    runtime.request("POST", "/webhook/whatsapp", b"{}", {"X-Twilio-Signature": "x"})

    after = scrape(runtime)
    assert {
        reason: after.value("horizonai_unsigned_requests_total", reason=reason)
        - before.value("horizonai_unsigned_requests_total", reason=reason)
        for reason in get_args(UnsignedReason)
    } == {"wrong_signature": 1, "stranger": 1, "no_signature": 1, "malformed": 1}
    assert after.value("horizonai_inbound_messages_total", client=open_to.bot["id"], result="refused") == 0


def test_what_a_stranger_sends_makes_no_label(runtime: Runtime, line: Callable[..., Line]) -> None:
    line()
    counted = "horizonai_inbound_messages_total"
    before = scrape(runtime)

    for number in ("+15550001", "+15550002"):
        signed_webhook(runtime, inbound_fields(number))

    after = scrape(runtime)
    assert after.value(counted, client="", result="refused") == before.value(counted, client="", result="refused") + 2
    assert after.labels_of(counted, "client") - before.labels_of(counted, "client") <= {""}


def test_failures_of_the_model_are_counted_by_class(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> None:
    runtime = runtime_factory(TURN_DEADLINE_SECONDS="0.1")
    open_to = open_line(runtime, sandbox)
    sandbox.faults({"kind": "status", "provider": "openai", "path": "/v1/responses", "status": 500, "times": 1})

    open_to.ask("Hola")

    seen = scrape(runtime)
    assert seen.value("horizonai_provider_errors_total", provider="openai", **{"class": "server"}) == 1
    assert seen.value("horizonai_turns_total", client=open_to.bot["id"], result="dead") == 1
    assert seen.value("horizonai_dead_letters") == 1


def test_what_waits_is_read_from_the_store(runtime: Runtime, sandbox: Sandbox, line: Callable[..., Line]) -> None:
    open_to = line()
    client = open_to.bot["id"]
    sandbox.settings(think_seconds=3.0)
    seen = [scrape(runtime)]

    def waits() -> bool:
        seen.append(scrape(runtime))
        return seen[-1].value("horizonai_inbox_open", client=client) == 1

    open_to.write("Hola", wait=0)
    wait_until(waits, what="a message that waits")
    sandbox.settings(think_seconds=0)

    assert seen[-1].value("horizonai_turns_in_flight", client=client) == 1
    assert 0 < seen[-1].value("horizonai_inbox_oldest_seconds", client=client) < 30
    wait_until(lambda: scrape(runtime).value("horizonai_inbox_open", client=client) == 0, what="the answer")


def test_the_process_and_its_version_are_told(runtime: Runtime) -> None:
    seen = scrape(runtime)

    assert seen.value("process_resident_memory_bytes") > 10_000_000
    assert seen.value("horizonai_build_info") == 1
    assert seen.value("horizonai_store_up") == 1


def test_a_breaker_shows_its_state() -> None:
    metrics = Metrics()

    metrics.breaker("openai", "shared", "", "open")

    assert Scrape(metrics.exposition(None).decode()).value("horizonai_breaker_state", provider="openai") == 2


def test_a_store_that_does_not_answer_is_told_and_the_rest_is_still_served() -> None:
    seen = Scrape(Metrics().exposition(None).decode())

    assert seen.value("horizonai_store_up") == 0
    assert "horizonai_build_info" in seen.names
    assert "horizonai_inbox_open" not in seen.families


def test_a_server_that_makes_up_models_cannot_fill_the_memory() -> None:
    metrics = Metrics()

    for number in range(MODELS_LIMIT + 50):
        metrics.answered("la-cocina", f"model-{number}", 1.0, Usage(1, 0, 1))

    seen = Scrape(metrics.exposition(None).decode())
    assert len(seen.labels_of("horizonai_model_seconds_count", "model")) == MODELS_LIMIT + 1
    assert seen.value("horizonai_model_seconds_count", model="other") == 50


@pytest.mark.parametrize(
    ("status", "name"),
    [(401, "auth"), (403, "auth"), (429, "rate_limit"), (500, "server"), (503, "server"), (400, "refused")],
)
def test_an_error_is_classed_by_its_status(status: int, name: str) -> None:
    assert error_class(Exception(), status) == name


@pytest.mark.parametrize(
    ("error", "name"), [(TimeoutError(), "timeout"), (ConnectionResetError(), "connection"), (ValueError(), "other")]
)
def test_an_error_without_a_status_is_classed_by_its_kind(error: Exception, name: str) -> None:
    assert error_class(error) == name


def test_failures_of_twilio_are_counted_by_class(runtime: Runtime, sandbox: Sandbox, line: Callable[..., Line]) -> None:
    open_to = line()
    open_to.ask("Hola")
    labels = {"provider": "twilio", "class": "refused"}
    before = scrape(runtime).value("horizonai_provider_errors_total", **labels)
    sandbox.faults({"kind": "status", "provider": "twilio", "path": "*/Messages.json", "status": 400, "times": 1})

    refused = runtime.api("POST", "/messages/", {"bot_id": open_to.bot["id"], "to": "+56912345678", "body": "Hola"})

    seen = scrape(runtime)
    assert refused.status >= 400
    assert seen.value("horizonai_provider_errors_total", **labels) == before + 1
    assert seen.value("horizonai_sends_total", client=open_to.bot["id"], channel="rest", result="failed") == 1


def test_what_an_alert_counts_is_there_before_it_happens(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(), sandbox)
    before = scrape(shop.runtime)
    assert before.labels_of("horizonai_provider_errors_total", "provider") == {"openai", "twilio"}
    assert before.labels_of("horizonai_provider_errors_total", "class") == set(ERROR_CLASSES)

    shop.ask("Hola")

    after = scrape(shop.runtime)
    assert "dead" in after.labels_of("horizonai_turns_total", "result")
    assert "failed" in after.labels_of("horizonai_sends_total", "result")
    assert after.labels_of("horizonai_undelivered_total", "code") == {*OF_CLIENT, NO_CODE, OTHER_CODE}
    assert after.value("horizonai_turns_total", result="dead") == 0
    assert after.value("horizonai_sends_total", result="failed") == 0
