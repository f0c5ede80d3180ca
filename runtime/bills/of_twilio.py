"""Reads what Twilio charged an account for a month, with its SDK: Usage Records, and the prices of messages.

Twilio: the dates of Usage Records are days in GMT, both inclusive; `price` and `count` are text, `price` is null where
nothing is charged. A message's price is negative, and null until it is known, some time after the send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from runtime.bills.charged import BilledSum, BillUnread, MessagePriceSum, TwilioBill, nanos_of
from runtime.store.usage.sums import month_bounds
from runtime.twilio.accounts import Account
from runtime.twilio.transport import TwilioHttp

PAGE_SIZE: Final = 1000
FAILURES: Final = (aiohttp.ClientError, TimeoutError, TwilioException, ValueError, ArithmeticError)
CURRENCY: Final = "usd"


async def read_twilio(
    accounts: Iterable[Account], base_url: str | None, month: str
) -> Sequence[TwilioBill | BillUnread]:
    """The bill of each account, or why it cannot be read."""
    http = TwilioHttp(base_url)
    try:
        return [await _read(http, account, month) for account in accounts]
    finally:
        await http.close()


async def _read(http: TwilioHttp, account: Account, month: str) -> TwilioBill | BillUnread:
    client = Client(account.sid, account.auth_token, http_client=http)
    try:
        return TwilioBill(await _categories(client, month), await _prices(client, month))
    except BillUnread as error:
        return BillUnread(f"The charges of the Twilio account {account.sid} cannot be compared: {error}")
    except FAILURES as error:
        return BillUnread(f"The charges of the Twilio account {account.sid} cannot be read: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Why, and what to do."""
    if isinstance(error, (aiohttp.ClientError, TimeoutError)):
        return "Twilio cannot be reached; check the network and TWILIO_BASE_URL."
    said = (str(getattr(error, "msg", "")) or str(error) or type(error).__name__).rstrip(".")
    return f"{said}; check its auth token."


async def _categories(client: Client, month: str) -> dict[str, BilledSum]:
    """Whatever the account was charged for in these days. Subaccounts have a bill of their own."""
    first, following = month_bounds(month)
    records = await client.usage.records.list_async(
        start_date=first.date(),
        end_date=(following - timedelta(days=1)).date(),
        include_subaccounts=False,
        page_size=PAGE_SIZE,
    )
    sums: dict[str, BilledSum] = {}
    for record in records:
        charge = BilledSum(int(record.count or 0), nanos_of(record.price or 0))
        if charge.nano_usd:
            _check_currency(record.price_unit)
        sums[record.category] = sums.get(record.category, BilledSum()) + charge
    return {name: charge for name, charge in sums.items() if charge != BilledSum()}


async def _prices(client: Client, month: str) -> MessagePriceSum:
    first, following = month_bounds(month)
    priced = unpriced = total = 0
    async for message in _messages(client, first, following):
        if message.price is None:
            unpriced += 1
            continue
        _check_currency(message.price_unit)
        priced += 1
        total += nanos_of(message.price)
    return MessagePriceSum(priced, unpriced, -total)


async def _messages(client: Client, first: datetime, following: datetime) -> AsyncIterator[Any]:
    """WhatsApp messages that were sent in a month. Both bounds are asked for a day wider, since Twilio does not
    document whether they are inclusive."""
    day = timedelta(days=1)
    stream = await client.messages.stream_async(
        date_sent_after=first - day, date_sent_before=following + day, page_size=PAGE_SIZE
    )
    async for message in stream:
        is_whatsapp = str(message.from_).startswith("whatsapp:") or str(message.to).startswith("whatsapp:")
        at = message.date_sent or message.date_created
        if is_whatsapp and at is not None and first <= at < following:
            yield message


def _check_currency(unit: str | None) -> None:
    if unit is not None and unit.lower() != CURRENCY:
        raise BillUnread(f"they are in {unit.upper()}, and the ledger is in USD.")
