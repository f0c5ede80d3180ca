"""The sandbox's price ledger: what each message and each call of a model costs, and why something is free."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import openai as sdk
import pytest
from genai_prices import Usage, calc_price
from openai import OpenAI
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList

from tests.sandbox.conftest import NUMBER, Webhook, twilio_client, twiml
from tests.sandbox.test_processes import phone
from tests.sandbox_process import Sandbox, wait_until

CHILE, ARGENTINA, BRAZIL, SPAIN = "+56912345678", "+5491123456789", "+5511987654321", "+34600123456"
MODEL = "gpt-6-luna"
AD = {"ReferralSourceType": "ad", "ReferralSourceId": "120", "ReferralHeadline": "Cazuela a $5.990"}
NOTHING = {"quantity": 0, "free": 0, "unpriced": 0, "amount": 0}
Starter = Callable[..., Sandbox]


@pytest.fixture
def quiet(sandbox: Sandbox, webhook: Webhook) -> str:
    """A sender without status callbacks, for tests with many messages."""
    sandbox.register(NUMBER, webhook={"callback_url": f"{webhook.url}/whatsapp"})
    return NUMBER


def total(sandbox: Sandbox, kind: str, country: str | None = "CL") -> dict[str, Any]:
    """Quantity, what of it is free or without a price, and the amount of a kind in 10⁻⁹ USD."""
    found = [row for row in sandbox.price_totals() if (row["kind"], row["country"]) == (kind, country)]
    return {name: sum(row[name] for row in found) for name in NOTHING}


def outcomes(sandbox: Sandbox) -> int:
    """How many messages out have been charged for by Twilio, which is when their outcome is known."""
    rows = [row for row in sandbox.price_totals() if row["kind"] in ("twilio_out", "twilio_failed")]
    return int(sum(row["quantity"] for row in rows))


def reply(sandbox: Sandbox, webhook: Webhook, texts: int = 1, to: str = CHILE, **message: Any) -> None:
    """A user writes and is answered with that many messages, each of which gets to its final status."""
    before = outcomes(sandbox)
    webhook.answer("/whatsapp", twiml(*(["hola"] * texts)))
    sandbox.inbound(message.pop("number", NUMBER), "hola", to, **message)
    wait_until(lambda: outcomes(sandbox) == before + texts, what=f"{texts} messages with an outcome")


def hear(sandbox: Sandbox, webhook: Webhook, to: str = CHILE, **message: Any) -> str:
    """A user writes and is not answered; gives the message's sid once the webhook has been called."""
    before = len(sandbox.ledger(kind="webhook"))
    webhook.answer("/whatsapp", twiml())
    sid = str(sandbox.inbound(message.pop("number", NUMBER), "hola", to, wait=0, **message)["message_sid"])
    wait_until(lambda: len(sandbox.ledger(kind="webhook")) > before, what="the webhook")
    return sid


def send(sandbox: Sandbox, client: Client, to: str = CHILE, **fields: str) -> str:
    """A message over REST that gets to its final status; gives its sid."""
    before = outcomes(sandbox)
    message = client.messages.create(to=f"whatsapp:{to}", from_=f"whatsapp:{NUMBER}", **fields)
    wait_until(lambda: outcomes(sandbox) == before + 1, what="an outcome")
    return str(message.sid)


def content(client: Client, category: str = "") -> str:
    """The sid of a content; of an approved template, if it has a category."""
    document = {"friendly_name": "x", "language": "es", "types": {"twilio/text": {"body": "Tu mesa está lista."}}}
    sid = str(client.content.v1.contents.create(ContentList.ContentCreateRequest(document)).sid)
    if category:
        approval = ApprovalCreateList.ContentApprovalRequest({"name": "x", "category": category})
        client.content.v1.contents(sid).approval_create.create(approval)
    return sid


def of_meta(sandbox: Sandbox) -> list[tuple[str, str | None, int | None, str | None]]:
    """Kind, country, amount and why it is free of what Meta charges."""
    entries = [entry for entry in sandbox.prices() if entry["kind"].startswith("meta_")]
    return [(entry["kind"], entry["country"], entry["amount"], entry["free"]) for entry in entries]


def ahead(sandbox: Sandbox, since: datetime, **time: float) -> None:
    """Sets the sandbox's clock to a time after a timestamp."""
    sandbox.settings(clock_ahead_seconds=(since + timedelta(**time) - datetime.now(UTC)).total_seconds())


@pytest.mark.usefixtures("quiet")
def test_a_thousand_replies_of_a_number_are_free_each_month(sandbox: Sandbox, webhook: Webhook) -> None:
    today = datetime.now(UTC)
    first_of_next = (today.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)

    reply(sandbox, webhook, 1000)
    assert total(sandbox, "meta_service") == {"quantity": 1000, "free": 1000, "unpriced": 0, "amount": 0}

    reply(sandbox, webhook)
    assert total(sandbox, "meta_service") == {"quantity": 1001, "free": 1000, "unpriced": 0, "amount": 20_000_000}
    assert total(sandbox, "twilio_out")["amount"] == 1001 * 5_000_000
    assert total(sandbox, "twilio_in")["amount"] == 2 * 5_000_000

    ahead(sandbox, first_of_next, seconds=1)
    reply(sandbox, webhook)
    assert total(sandbox, "meta_service") == {"quantity": 1002, "free": 1001, "unpriced": 0, "amount": 20_000_000}
    assert [entry["month"] for entry in sandbox.prices()[-3:]] == [first_of_next.strftime("%Y-%m")] * 3


@pytest.mark.usefixtures("quiet")
def test_each_number_has_a_thousand_of_its_own(sandbox: Sandbox, webhook: Webhook) -> None:
    sandbox.register("+15557654321", webhook={"callback_url": f"{webhook.url}/whatsapp"})
    reply(sandbox, webhook, 1001)
    reply(sandbox, webhook, number="+15557654321")
    assert total(sandbox, "meta_service") == {"quantity": 1002, "free": 1001, "unpriced": 0, "amount": 20_000_000}


@pytest.mark.usefixtures("quiet")
def test_an_answer_in_two_parts_is_two_messages(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook, 2)
    assert total(sandbox, "meta_service")["quantity"] == 2
    assert total(sandbox, "twilio_out") == {**NOTHING, "quantity": 2, "amount": 10_000_000}


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("fault", "kind", "amount", "price"),
    [("failed", "twilio_failed", 1_000_000, "-0.00100"), ("undelivered", "twilio_out", 5_000_000, "-0.00500")],
)
def test_meta_does_not_charge_a_message_that_does_not_arrive(
    sandbox: Sandbox, twilio: Client, fault: str, kind: str, amount: int, price: str
) -> None:
    sandbox.faults({"kind": fault})
    message = twilio.messages(send(sandbox, twilio, content_sid=content(twilio, "UTILITY"))).fetch()
    assert [(entry["kind"], entry["amount"]) for entry in sandbox.prices()] == [(kind, amount)]
    assert (message.status, message.price, message.error_code) == (fault, price, 63012)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("category", "to", "expected"),
    [
        ("UTILITY", CHILE, ("meta_utility", "CL", 20_000_000)),
        ("AUTHENTICATION", CHILE, ("meta_authentication", "CL", 20_000_000)),
        ("MARKETING", CHILE, ("meta_marketing", "CL", 88_900_000)),
        ("UTILITY", ARGENTINA, ("meta_utility", "AR", 26_000_000)),
        ("MARKETING", ARGENTINA, ("meta_marketing", "AR", 61_800_000)),
        ("UTILITY", BRAZIL, ("meta_utility", "BR", 6_800_000)),
        ("MARKETING", BRAZIL, ("meta_marketing", "BR", 62_500_000)),
        ("MARKETING", "AR.1A2b3C", ("meta_marketing", "AR", 61_800_000)),
        ("UTILITY", "BR.ENT.1A2b3C", ("meta_utility", "BR", 6_800_000)),
    ],
)
def test_a_template_costs_what_its_category_costs_where_the_user_is(
    sandbox: Sandbox, twilio: Client, category: str, to: str, expected: tuple[str, str, int]
) -> None:
    send(sandbox, twilio, to, content_sid=content(twilio, category))
    assert of_meta(sandbox) == [(*expected, None)]


@pytest.mark.usefixtures("quiet")
def test_a_template_is_charged_while_replies_are_free_and_is_not_one_of_the_thousand(
    sandbox: Sandbox, webhook: Webhook, twilio: Client
) -> None:
    reply(sandbox, webhook, 999)
    send(sandbox, twilio, content_sid=content(twilio, "UTILITY"))
    reply(sandbox, webhook, 2)
    assert total(sandbox, "meta_utility") == {**NOTHING, "quantity": 1, "amount": 20_000_000}
    assert total(sandbox, "meta_service") == {"quantity": 1001, "free": 1000, "unpriced": 0, "amount": 20_000_000}


@pytest.mark.usefixtures("quiet")
def test_a_content_without_approval_is_a_service_message(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    reply(sandbox, webhook)
    send(sandbox, twilio, content_sid=content(twilio))
    assert of_meta(sandbox) == [("meta_service", "CL", 0, "first_1000")] * 2


@pytest.mark.usefixtures("quiet")
def test_where_the_table_has_no_price_a_message_is_counted_without_one(sandbox: Sandbox, twilio: Client) -> None:
    sid = send(sandbox, twilio, SPAIN, content_sid=content(twilio, "MARKETING"))
    assert of_meta(sandbox) == [("meta_marketing", "ES", None, None)]
    (row,) = [row for row in sandbox.price_totals() if row["kind"] == "meta_marketing"]
    assert row == {
        "kind": "meta_marketing",
        "country": "ES",
        "model": None,
        "quantity": 1,
        "free": 0,
        "unpriced": 1,
        "amount": None,
    }
    assert twilio.messages(sid).fetch().price == "-0.00500"
    sandbox.settings(message_price="twilio and meta")
    assert twilio.messages(sid).fetch().price is None


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("user", "country"),
    [
        ("+12025550123", "US"),
        ("+14165550123", "CA"),
        ("+15550000001", "US"),
        ("+447400123456", "GB"),
        ("+5926001234", "GY"),
        ("+9991234567", None),
        ("+882161234567", None),
        ("US.1A2b3C", "US"),
    ],
)
def test_the_country_is_that_of_the_number_or_the_user_id(
    sandbox: Sandbox, webhook: Webhook, user: str, country: str | None
) -> None:
    hear(sandbox, webhook, user)
    assert [entry["country"] for entry in sandbox.prices()] == [country]


@pytest.mark.usefixtures("quiet")
def test_all_of_metas_part_is_free_for_72_hours_after_the_reply_to_an_ad_click(
    sandbox: Sandbox, webhook: Webhook, twilio: Client
) -> None:
    begun = datetime.now(UTC)
    reply(sandbox, webhook, extra=AD)
    send(sandbox, twilio, content_sid=content(twilio, "MARKETING"))
    ahead(sandbox, begun, hours=71)
    reply(sandbox, webhook)
    ahead(sandbox, begun, hours=73)
    reply(sandbox, webhook)
    assert of_meta(sandbox) == [
        ("meta_service", "CL", 0, "ad_click"),
        ("meta_marketing", "CL", 0, "ad_click"),
        ("meta_service", "CL", 0, "ad_click"),
        ("meta_service", "CL", 0, "first_1000"),
    ]
    assert total(sandbox, "twilio_out")["amount"] == 4 * 5_000_000


@pytest.mark.usefixtures("quiet")
def test_the_72_hours_begin_with_the_first_reply_and_not_with_the_click(sandbox: Sandbox, webhook: Webhook) -> None:
    begun = datetime.now(UTC)
    hear(sandbox, webhook, extra=AD)
    ahead(sandbox, begun, hours=23)
    reply(sandbox, webhook)
    ahead(sandbox, begun, hours=23 + 71)
    reply(sandbox, webhook)
    assert [free for *_, free in of_meta(sandbox)] == ["ad_click", "ad_click"]


@pytest.mark.usefixtures("quiet")
def test_a_second_reply_does_not_prolong_the_72_hours(sandbox: Sandbox, webhook: Webhook) -> None:
    begun = datetime.now(UTC)
    reply(sandbox, webhook, extra=AD)
    ahead(sandbox, begun, hours=20)
    reply(sandbox, webhook)
    ahead(sandbox, begun, hours=80)
    reply(sandbox, webhook)
    assert [free for *_, free in of_meta(sandbox)] == ["ad_click", "ad_click", "first_1000"]


@pytest.mark.usefixtures("quiet")
def test_a_reply_more_than_24_hours_after_an_ad_click_is_not_free(sandbox: Sandbox, webhook: Webhook) -> None:
    begun = datetime.now(UTC)
    hear(sandbox, webhook, extra=AD)
    ahead(sandbox, begun, hours=25)
    reply(sandbox, webhook)
    assert [free for *_, free in of_meta(sandbox)] == ["first_1000"]


@pytest.mark.usefixtures("quiet")
def test_a_reply_that_did_not_arrive_begins_no_72_hours(sandbox: Sandbox, webhook: Webhook) -> None:
    begun = datetime.now(UTC)
    sandbox.faults({"kind": "undelivered", "times": 1})
    reply(sandbox, webhook, extra=AD)
    ahead(sandbox, begun, hours=25)
    reply(sandbox, webhook)
    assert [free for *_, free in of_meta(sandbox)] == ["first_1000"]


@pytest.mark.usefixtures("quiet")
def test_what_an_ad_makes_free_is_not_one_of_the_thousand(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook, 10, extra=AD)
    reply(sandbox, webhook, 1000, to="+56922222222")
    assert total(sandbox, "meta_service") == {"quantity": 1010, "free": 1010, "unpriced": 0, "amount": 0}


@pytest.mark.usefixtures("quiet")
def test_an_ad_concerns_the_user_who_clicked_on_it(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook, extra=AD)
    reply(sandbox, webhook, to="+56922222222")
    assert [free for *_, free in of_meta(sandbox)] == ["ad_click", "first_1000"]


@pytest.mark.usefixtures("quiet")
def test_a_message_without_anything_of_an_ad_is_no_click(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook, extra={"ReferralNumMedia": "0", "ReferralBody": "", "Latitude": "-33.4"})
    assert [free for *_, free in of_meta(sandbox)] == ["first_1000"]


@pytest.mark.usefixtures("quiet")
def test_a_message_that_is_read_is_charged_once(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    sandbox.settings(read_receipts=True)
    reply(sandbox, webhook)
    (sid,) = [entry["message_sid"] for entry in sandbox.prices() if entry["kind"] == "meta_service"]
    wait_until(lambda: twilio.messages(sid).fetch().status == "read")
    assert [entry["kind"] for entry in sandbox.prices()] == ["twilio_in", "twilio_out", "meta_service"]


def test_a_read_receipt_is_a_callback_of_its_own(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sandbox.settings(read_receipts=True)
    webhook.answer("/whatsapp", twiml("hola"))
    sandbox.inbound(NUMBER, "hola", settle=0)
    received = next(item for item in iter(webhook.next, None) if item.form.get("MessageStatus") == "read")
    assert received.form["EventType"] == "READ"


@pytest.mark.usefixtures("quiet")
def test_a_message_that_is_delivered_to_us_again_is_charged_once(sandbox: Sandbox, webhook: Webhook) -> None:
    sid = hear(sandbox, webhook)
    hear(sandbox, webhook, message_sid=sid)
    assert total(sandbox, "twilio_in") == {**NOTHING, "quantity": 1, "amount": 5_000_000}


@pytest.mark.usefixtures("quiet")
def test_an_entry_says_all_of_a_charge_and_nothing_of_the_user(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook)
    entry = sandbox.prices()[-1]
    today = datetime.now(UTC).date().isoformat()
    assert entry == {
        "n": 3,
        "time": entry["time"],
        "day": today,
        "month": today[:7],
        "kind": "meta_service",
        "account": sandbox.account_sid,
        "number": NUMBER,
        "country": "CL",
        "message_sid": entry["message_sid"],
        "model": None,
        "project": None,
        "quantity": 1,
        "unit_price": 20_000_000,
        "amount": 0,
        "free": "first_1000",
    }
    assert CHILE[1:] not in json.dumps(sandbox.ask("GET", "prices"))


def test_a_message_has_no_price_until_it_is_sent(sandbox: Sandbox, quiet: str, twilio: Client) -> None:
    sandbox.settings(session_window=False, delivery_seconds=60)
    made = twilio.messages.create(to=f"whatsapp:{CHILE}", from_=f"whatsapp:{quiet}", body="hola")
    assert (made.price, made.price_unit) == (None, None)
    assert twilio.messages(str(made.sid)).fetch().price is None


@pytest.mark.usefixtures("quiet")
def test_a_price_is_twilios_fee_or_metas_charge_with_it(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    reply(sandbox, webhook)
    template = send(sandbox, twilio, content_sid=content(twilio, "UTILITY"))
    assert twilio.messages(template).fetch().price_unit == "USD"
    assert [item.price for item in twilio.messages.list()] == ["-0.00500", "-0.00500", "-0.00500"]
    sandbox.settings(message_price="twilio and meta")
    assert [item.price for item in twilio.messages.list()] == ["-0.02500", "-0.00500", "-0.00500"]


def test_prices_survive_a_kill_and_the_deletion_of_messages(
    tmp_path: Path, sandbox_factory: Starter, webhook: Webhook
) -> None:
    first = sandbox_factory(tmp_path)
    first.register(NUMBER, webhook={"callback_url": f"{webhook.url}/whatsapp"})
    reply(first, webhook, 2, extra=AD)
    with OpenAI(base_url=first.openai_url, api_key=first.api_key) as client:
        client.responses.create(model=MODEL, input="hola", store=False)
    before = first.ask("GET", "prices")
    twilio, http = twilio_client(first, first.account_sid, first.auth_token)
    for message in twilio.messages.list():
        message.delete()
    http.close()
    assert first.ask("GET", "prices") == before
    first.kill()

    second = sandbox_factory(tmp_path)
    assert second.ask("GET", "prices") == before
    reply(second, webhook)
    assert [free for *_, free in of_meta(second)] == ["ad_click"] * 3


@pytest.mark.usefixtures("quiet")
def test_a_reset_leaves_no_prices(sandbox: Sandbox, webhook: Webhook) -> None:
    reply(sandbox, webhook, 3)
    sandbox.reset()
    assert sandbox.ask("GET", "prices") == {"unit": "1e-9 USD", "entries": [], "totals": []}


def test_both_ports_have_the_prices(sandbox: Sandbox, openai: OpenAI) -> None:
    openai.responses.create(model=MODEL, input="hola")
    client = openai.with_options(base_url=sandbox.openai_url.removesuffix("/v1"))
    over_openai = client.get("/_sandbox/prices", cast_to=object)
    assert over_openai == sandbox.ask("GET", "prices")


def test_a_phone_comes_from_an_ad(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", twiml("Buenas"))
    assert phone(sandbox.twilio_url, NUMBER, "Hola", "--ad", "--from", ARGENTINA).returncode == 0
    form = webhook.next().form
    assert (form["ReferralSourceType"], form["ReferralNumMedia"]) == ("ad", "1")
    assert form["ReferralSourceUrl"].startswith("https://fb.me/")
    assert {"ReferralSourceId", "ReferralHeadline", "ReferralBody", "ReferralCtwaClid"} < form.keys()
    wait_until(lambda: len(sandbox.prices()) == 3)
    assert of_meta(sandbox) == [("meta_service", "AR", 0, "ad_click")]


def of_model(sandbox: Sandbox) -> dict[str, tuple[float, int | None]]:
    """Kind → quantity and amount of what the models used."""
    rows = [row for row in sandbox.price_totals() if row["model"]]
    return {row["kind"]: (row["quantity"], row["amount"]) for row in rows}


def listed(usage: Any, **searches: int) -> Fraction:
    """What a call costs by the list of prices that is installed, in 10⁻⁹ USD."""
    used = Usage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.input_tokens_details.cached_tokens,
        cache_write_tokens=usage.input_tokens_details.cache_write_tokens,
        output_tokens=usage.output_tokens,
        **searches,
    )
    return Fraction(calc_price(used, MODEL, provider_id="openai").total_price) * 10**9


def test_a_call_costs_its_tokens_and_its_searches(openai: OpenAI, sandbox: Sandbox) -> None:
    file = openai.files.create(file=("menu.md", b"Empanadas a 3500"), purpose="assistants")
    store = openai.vector_stores.create(file_ids=[file.id])
    tools: Any = [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": [store.id]}]
    response = openai.responses.create(model=MODEL, input="usa web_search: ¿empanadas?", tools=tools)
    assert [item.type for item in response.output] == ["web_search_call", "file_search_call", "message"]
    used = response.usage
    assert used is not None
    assert of_model(sandbox) == {
        "model_input": (used.input_tokens, used.input_tokens * 100),
        "model_output": (used.output_tokens, used.output_tokens * 500),
        "web_search": (1, 10_000_000),
        "file_search": (1, 2_500_000),
    }
    amount = sum(entry["amount"] for entry in sandbox.prices())
    assert amount == listed(used, web_searches=1, storage_searches=1)


@pytest.mark.parametrize(
    ("text", "more"),
    [("hola", {}), ("usa web_search", {"tool_choice": "none"}), ("usa web_search", {"tools": []})],
    ids=["not asked for", "forbidden", "not offered"],
)
def test_the_web_is_searched_only_when_asked_for(openai: OpenAI, text: str, more: dict[str, Any]) -> None:
    response = openai.responses.create(**{"model": MODEL, "input": text, "tools": [{"type": "web_search"}], **more})
    assert [item.type for item in response.output] == ["message"]


def test_a_caller_can_require_a_search_of_the_web_and_gets_the_same_answer(openai: OpenAI) -> None:
    asked: Any = {"model": MODEL, "input": "hola", "tools": [{"type": "web_search_preview"}]}
    searched = openai.responses.create(**asked, tool_choice={"type": "web_search_preview"})
    assert searched.output[0].type == "web_search_call"
    assert searched.output_text == openai.responses.create(**asked).output_text


def test_a_long_prompt_is_written_to_the_cache_and_read_from_it_where_it_begins_the_same(
    openai: OpenAI, sandbox: Sandbox
) -> None:
    asked: Any = {"model": MODEL, "instructions": "Eres el asistente de La Cocina. " * 200, "prompt_cache_key": "a"}
    first = openai.responses.create(**asked, input="hola").usage
    second = openai.responses.create(**asked, input="chao").usage
    other = openai.responses.create(**{**asked, "prompt_cache_key": "b"}, input="hola").usage
    assert first
    assert second
    assert other
    details = [usage.input_tokens_details for usage in (first, second, other)]
    assert first.input_tokens == 1601
    assert [(item.cached_tokens, item.cache_write_tokens) for item in details] == [(0, 1536), (1536, 0), (0, 1536)]
    assert of_model(sandbox)["model_cache_write"] == (3072, 3072 * 125)
    assert of_model(sandbox)["model_cached"] == (1536, 1536 * 10)
    assert sum(entry["amount"] for entry in sandbox.prices()) == sum(map(listed, (first, second, other)))


@pytest.mark.parametrize("forget", [lambda sandbox: sandbox.settings(clock_ahead_seconds=31 * 60), Sandbox.reset])
def test_a_cached_prompt_is_forgotten_in_time_and_by_a_reset(
    openai: OpenAI, sandbox: Sandbox, forget: Callable[[Sandbox], None]
) -> None:
    asked: Any = {"model": MODEL, "instructions": "Eres el asistente de La Cocina. " * 200, "input": "hola"}
    openai.responses.create(**asked)
    forget(sandbox)
    usage = openai.responses.create(**asked).usage
    assert usage
    assert usage.input_tokens_details.cached_tokens == 0


@pytest.mark.parametrize(
    "more",
    [{"instructions": "corto"}, {"model": "gpt-5.4"}, {"prompt_cache_options": {"mode": "explicit"}}],
    ids=["short", "a model of before", "explicit only"],
)
def test_a_prompt_is_not_always_written(openai: OpenAI, more: dict[str, Any]) -> None:
    long = "Eres el asistente de La Cocina. " * 200
    usage = openai.responses.create(**{"model": MODEL, "instructions": long, "input": "hola", **more}).usage
    assert usage
    assert usage.input_tokens_details.cache_write_tokens == 0


def test_a_model_without_a_price_is_counted_without_one(openai: OpenAI, sandbox: Sandbox) -> None:
    openai.responses.create(model="gpt-6-sol", input="hola")
    assert of_model(sandbox)["model_input"] == (1, None)


def test_a_request_beyond_the_tables_prices_is_counted_without_one(openai: OpenAI, sandbox: Sandbox) -> None:
    openai.responses.create(model=MODEL, input="x" * 4 * 273_000)
    assert {amount for _, amount in of_model(sandbox).values()} == {None}


def test_a_call_whose_answer_is_lost_is_charged(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "timeout_after_write", "seconds": 0, "path": "/v1/responses"})
    with pytest.raises(sdk.APIConnectionError):
        openai.responses.create(model=MODEL, input="hola")
    assert of_model(sandbox)["model_input"] == (1, 100)


def test_a_call_that_is_refused_is_not_charged(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "path": "/v1/responses"})
    with pytest.raises(sdk.InternalServerError):
        openai.responses.create(model=MODEL, input="hola")
    assert sandbox.prices() == []


def test_a_turn_of_an_agent_is_charged_once(openai: OpenAI, sandbox: Sandbox) -> None:
    session = openai.beta.agents.sessions.create(agent={"model": MODEL}, environment={"type": "none"}, input="hola").id
    sandbox.settings(usage_seconds=0.0)
    turns = [openai.beta.agents.sessions.turns.list(session).data[0] for _ in range(2)]
    used = turns[-1].usage
    assert used
    assert of_model(sandbox) == {
        "model_input": (used.input_tokens, used.input_tokens * 100),
        "model_output": (used.output_tokens, used.output_tokens * 500),
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_of_an_assistant_is_charged_with_its_search(openai: OpenAI, sandbox: Sandbox) -> None:
    assistant = openai.beta.assistants.create(model=MODEL, tools=[{"type": "file_search"}])
    thread = openai.beta.threads.create(messages=[{"role": "user", "content": "hola"}])
    run = openai.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.usage
    assert of_model(sandbox) == {
        "model_input": (run.usage.prompt_tokens, run.usage.prompt_tokens * 100),
        "model_output": (run.usage.completion_tokens, run.usage.completion_tokens * 500),
        "file_search": (1, 2_500_000),
    }


def test_a_message_belongs_to_the_month_of_sending_and_has_its_price(tmp_path: Path, sandbox_factory: Starter) -> None:
    parties = {"message_sid": "SM1", "from": f"whatsapp:{NUMBER}", "to": f"whatsapp:{CHILE}", "provider": "twilio"}
    sent = {"n": 0, "time": "2026-09-30T23:59:59.000+00:00", "kind": "outbound", "template": "marketing", **parties}
    arrived = {"n": 1, "time": "2026-10-01T00:00:01.000+00:00", "kind": "delivered", **parties}
    (tmp_path / "ledger.jsonl").write_text(f"{json.dumps(sent)}\n{json.dumps(arrived)}\n")
    charged = {entry["kind"]: (entry["month"], entry["amount"]) for entry in sandbox_factory(tmp_path).prices()}
    assert charged == {"twilio_out": ("2026-09", 5_000_000), "meta_marketing": ("2026-09", None)}


@pytest.mark.parametrize(
    ("model", "quantities", "amount"),
    [
        ("gpt-transcribe", {"transcription": 60.0}, 4_500_000),
        (MODEL, {"model_input": 500, "model_cache_write": 5500, "model_output": 200, "web_search": 1}, 10_837_500),
    ],
    ids=["a minute of voice", "a first turn that is cached"],
)
def test_what_an_earlier_sandbox_recorded_is_priced(
    tmp_path: Path, sandbox_factory: Starter, model: str, quantities: dict[str, float], amount: int
) -> None:
    used = {"project": "proj_sandbox", "model": model, "quantities": quantities}
    entry = {"n": 0, "time": "2026-11-29T12:00:00.000+00:00", "kind": "call", "provider": "openai", "used": [used]}
    (tmp_path / "ledger.jsonl").write_text(json.dumps(entry) + "\n")
    assert sum(entry["amount"] for entry in sandbox_factory(tmp_path).prices()) == amount
