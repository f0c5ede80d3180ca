"""Twilio's Usage Records: what an account was charged, by category and period."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from tests.sandbox.conftest import NUMBER, Webhook, twilio_client
from tests.sandbox.test_prices import AD, BRAZIL, CHILE, SPAIN, ahead, content, hear, reply, send
from tests.sandbox_process import Sandbox, wait_until

OWN = "AC" + "c" * 32


@pytest.fixture(autouse=True)
def quiet(sandbox: Sandbox, webhook: Webhook) -> None:
    """A sender without status callbacks."""
    sandbox.register(NUMBER, webhook={"callback_url": f"{webhook.url}/whatsapp"})


@pytest.fixture
def busy(sandbox: Sandbox, webhook: Webhook, twilio: Client) -> None:
    """A month with something of everything."""
    reply(sandbox, webhook, 1001)
    reply(sandbox, webhook, extra=AD, to=BRAZIL)
    for category, to in (("UTILITY", CHILE), ("MARKETING", CHILE), ("AUTHENTICATION", BRAZIL)):
        send(sandbox, twilio, to, content_sid=content(twilio, category))
    for fault in ("failed", "undelivered"):
        sandbox.faults({"kind": fault})
        send(sandbox, twilio, body="hola")
    sandbox.faults()


@pytest.fixture
def subaccount(sandbox: Sandbox, webhook: Webhook) -> Iterator[Client]:
    """A client with an account of its own, which got one message."""
    sandbox.ask("POST", "accounts", {"sid": OWN, "auth_token": "own-token"})
    sandbox.register("+15557654321", account_sid=OWN, webhook={"callback_url": f"{webhook.url}/whatsapp"})
    hear(sandbox, webhook, number="+15557654321")
    client, http = twilio_client(sandbox, OWN, "own-token")
    yield client
    http.close()


def rows(records: list[Any]) -> dict[str, tuple[str, str | None]]:
    """Category → count and price of what was used."""
    priced = {record.category: (record.count, record.price) for record in records if record.count != "0"}
    return {name: (count, None if price is None else str(price)) for name, (count, price) in priced.items()}


@pytest.mark.usefixtures("busy")
def test_a_charge_counts_in_its_categories(twilio: Client) -> None:
    assert rows(twilio.usage.records.list(page_size=1000)) == {
        "channels-messaging": ("1008", "5.04000"),
        "channels-messaging-inbound": ("2", "0.01000"),
        "channels-messaging-outbound": ("1006", "5.03000"),
        "failed-message-processing-fee": ("1", "0.00100"),
        "channels-whatsapp": ("1005", "0.12890"),
        "channels-whatsapp-conversation-free": ("1002", "0.00000"),
        "channels-whatsapp-conversation-service": ("1", "0.02000"),
        "channels-whatsapp-conversation-utility": ("1", "0.02000"),
        "channels-whatsapp-conversation-marketing": ("1", "0.08890"),
        "channels-whatsapp-template-service": ("1", "0.02000"),
        "channels-whatsapp-template-utility": ("1", "0.02000"),
        "channels-whatsapp-template-marketing": ("1", "0.08890"),
        "totalprice": ("2014", "5.16990"),
    }


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("setting", "parents"),
    [
        ("twilio", ["channels-messaging", "failed-message-processing-fee"]),
        ("twilio and meta", ["channels-messaging", "failed-message-processing-fee", "channels-whatsapp"]),
    ],
)
def test_the_prices_of_the_messages_come_to_what_the_categories_say(
    sandbox: Sandbox, twilio: Client, setting: str, parents: list[str]
) -> None:
    sandbox.settings(message_price=setting)
    messages = sum(-Decimal(str(message.price)) for message in twilio.messages.list(page_size=1000))
    records = [twilio.usage.records.list(category=name)[0] for name in parents]
    assert messages == sum(record.price or 0 for record in records)


def test_a_record_is_about_an_account_and_its_days(sandbox: Sandbox, twilio: Client, webhook: Webhook) -> None:
    reply(sandbox, webhook)
    today = datetime.now(UTC).date()
    (record,) = twilio.usage.records.list(category="channels-messaging-inbound")
    assert (record.start_date, record.end_date) == (today, today)
    assert (record.account_sid, record.count, record.count_unit) == (sandbox.account_sid, "1", "messages")
    assert (record.usage, record.usage_unit, record.price_unit) == ("1", "messages", "usd")
    (total,) = twilio.usage.records.list(category="totalprice")
    assert (total.usage, total.usage_unit) == ("0.01000", "usd")


def test_prices_and_counts_are_strings(sandbox: Sandbox, twilio: Client, webhook: Webhook) -> None:
    reply(sandbox, webhook)
    answer = twilio.request(
        "GET", f"https://api.twilio.com/2010-04-01/Accounts/{sandbox.account_sid}/Usage/Records.json"
    )
    record = next(item for item in json.loads(answer.text)["usage_records"] if item["category"] == "channels-messaging")
    assert (record["count"], record["price"]) == ("2", "0.01000")


def test_days_and_months_are_told_apart(sandbox: Sandbox, twilio: Client, webhook: Webhook) -> None:
    today = datetime.now(UTC)
    begun = today.date()
    reply(sandbox, webhook)
    ahead(sandbox, today, days=40)
    reply(sandbox, webhook, 2)
    later = begun + timedelta(days=40)
    outbound = {"category": "channels-messaging-outbound"}

    daily = twilio.usage.records.daily.list(**outbound, page_size=1000)
    assert len(daily) == 41
    assert [(day.start_date, day.count) for day in daily if day.count != "0"] == [(begun, "1"), (later, "2")]
    assert all(day.start_date == day.end_date for day in daily)

    monthly = twilio.usage.records.monthly.list(**outbound)
    assert [(month.start_date, month.count) for month in (monthly[0], monthly[-1])] == [
        (begun, "1"),
        (later.replace(day=1), "2"),
    ]
    assert monthly[-1].end_date == later


@pytest.mark.parametrize(
    ("first", "last", "count"), [(0, 0, "1"), (1, 5, "0"), (0, 40, "2"), (40, 40, "1"), (-30, -1, "0")]
)
def test_both_ends_of_a_period_belong_to_it(
    sandbox: Sandbox, twilio: Client, webhook: Webhook, first: int, last: int, count: str
) -> None:
    today = datetime.now(UTC)
    reply(sandbox, webhook)
    ahead(sandbox, today, days=40)
    reply(sandbox, webhook)
    dates = {"start_date": today.date() + timedelta(days=first), "end_date": today.date() + timedelta(days=last)}
    (record,) = twilio.usage.records.list(category="channels-messaging-inbound", **dates)
    assert record.count == count
    assert (record.start_date, record.end_date) == (dates["start_date"], dates["end_date"])


def test_a_date_may_be_days_from_today(sandbox: Sandbox, twilio: Client, webhook: Webhook) -> None:
    reply(sandbox, webhook)
    (record,) = twilio.usage.records.list(category="totalprice", start_date="-2days", end_date="-1days")
    assert record.count == "0"
    assert record.start_date == datetime.now(UTC).date() - timedelta(days=2)


def test_a_month_is_cut_to_the_period(sandbox: Sandbox, twilio: Client) -> None:
    dates = {"start_date": date(2026, 10, 20), "end_date": date(2026, 12, 5)}
    months = twilio.usage.records.monthly.list(category="totalprice", **dates)
    assert [(month.start_date, month.end_date) for month in months] == [
        (date(2026, 10, 20), date(2026, 10, 31)),
        (date(2026, 11, 1), date(2026, 11, 30)),
        (date(2026, 12, 1), date(2026, 12, 5)),
    ]


def test_records_come_in_pages(sandbox: Sandbox, twilio: Client, webhook: Webhook) -> None:
    reply(sandbox, webhook)
    whole = [record.category for record in twilio.usage.records.list(page_size=1000)]
    assert [record.category for record in twilio.usage.records.list(page_size=4)] == whole
    assert len(set(whole)) == len(whole) == 14
    assert len(sandbox.calls("twilio", path=f"/2010-04-01/Accounts/{sandbox.account_sid}/Usage/")) == 1 + 4


def test_a_page_may_lose_its_records(sandbox: Sandbox, twilio: Client) -> None:
    sandbox.faults({"kind": "drop_page", "path": "*/Usage/Records.json", "nth": 2})
    assert len(twilio.usage.records.list(page_size=5)) == 14 - 5


def test_a_price_that_is_not_known_is_no_price(sandbox: Sandbox, twilio: Client) -> None:
    send(sandbox, twilio, SPAIN, content_sid=content(twilio, "UTILITY"))
    known = rows(twilio.usage.records.list())
    assert known["channels-whatsapp-conversation-utility"] == known["channels-whatsapp"] == ("1", None)
    assert known["channels-messaging"] == ("1", "0.00500")


def test_an_account_is_charged_with_its_subaccounts_unless_asked_for_alone(
    sandbox: Sandbox, twilio: Client, webhook: Webhook, subaccount: Client
) -> None:
    reply(sandbox, webhook)
    inbound = {"category": "channels-messaging-inbound"}
    assert [record.count for record in twilio.usage.records.list(**inbound)] == ["2"]
    assert [record.count for record in twilio.usage.records.list(**inbound, include_subaccounts=False)] == ["1"]
    assert [record.count for record in subaccount.usage.records.list(**inbound)] == ["1"]


def test_a_category_without_usage_here_has_no_records(twilio: Client) -> None:
    assert twilio.usage.records.list(category="sms") == []


def test_a_date_that_is_not_one_is_refused(twilio: Client) -> None:
    with pytest.raises(TwilioException) as caught:
        twilio.usage.records.list(start_date="ayer")
    assert caught.value.args[1].status_code == 400
    assert "Invalid StartDate ayer" in caught.value.args[1].text


def test_models_are_not_on_twilios_bill(sandbox: Sandbox, twilio: Client, openai: Any) -> None:
    openai.responses.create(model="gpt-6-luna", input="hola")
    wait_until(lambda: bool(sandbox.prices()))
    assert rows(twilio.usage.records.list()) == {}
