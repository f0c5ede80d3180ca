"""/2010-04-01/Accounts/{sid}/Usage/Records: what an account was charged, by category and period.

A charge counts in several categories, so a sum over all of them means nothing. What belongs together:

    channels-messaging                       Twilio's fee
    ├─ -inbound, -outbound
    failed-message-processing-fee            Twilio's fee for what failed, apart from the former
    channels-whatsapp                        Meta's charge
    ├─ channels-whatsapp-conversation-…      all of it, by category; what was free in `-free`
    └─ channels-whatsapp-template-…          what was not free once more, under the newer names
    totalprice                               the three above

Twilio documents neither what the last two groups contain nor whether they overlap. Prices and counts are strings, dates
are days in GMT, both inclusive.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from sandbox.middleware import answer
from sandbox.price_ledger import Charge, Sum
from sandbox.state import State
from sandbox.storage import Json
from sandbox.twilio.wire import ACCOUNTS, Page, acting_account, dollars, error

_CATEGORIES = {
    "channels-messaging": "Channels Messaging",
    "channels-messaging-inbound": "Channels Messaging - Inbound",
    "channels-messaging-outbound": "Channels Messaging - Outbound",
    "channels-whatsapp": "WhatsApp",
    "channels-whatsapp-conversation-authentication": "WhatsApp Conversation - Authentication",
    "channels-whatsapp-conversation-free": "WhatsApp Conversation - Free",
    "channels-whatsapp-conversation-marketing": "WhatsApp Conversation - Marketing",
    "channels-whatsapp-conversation-service": "WhatsApp Conversation - Service",
    "channels-whatsapp-conversation-utility": "WhatsApp Conversation - Utility",
    "channels-whatsapp-template-marketing": "WhatsApp Template - Marketing",
    "channels-whatsapp-template-service": "WhatsApp Template - Service",
    "channels-whatsapp-template-utility": "WhatsApp Template - Utility",
    "failed-message-processing-fee": "Failed Message Processing Fee",
    "totalprice": "Total Price",
}
"""Of the categories that Twilio has, those for which the sandbox has any usage; each with its description."""
_OF_TWILIO = {
    "twilio_in": ("channels-messaging", "channels-messaging-inbound"),
    "twilio_out": ("channels-messaging", "channels-messaging-outbound"),
    "twilio_failed": ("failed-message-processing-fee",),
}
_FROM_TODAY = re.compile(r"([+-])(\d{1,5})days?")


def categories_of(charge: Charge) -> tuple[str, ...]:
    """Where a charge counts; nowhere, if Twilio does not bill it."""
    if charge.kind in _OF_TWILIO:
        return (*_OF_TWILIO[charge.kind], "totalprice")
    provider, _, category = charge.kind.partition("_")
    if provider != "meta":
        return ()
    found = ["channels-whatsapp", f"channels-whatsapp-conversation-{'free' if charge.free else category}", "totalprice"]
    if not charge.free and category != "authentication":
        found.append(f"channels-whatsapp-template-{category}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Period:
    """Days, both inclusive."""

    first: date
    last: date


def _days(whole: _Period) -> list[_Period]:
    count = (whole.last - whole.first).days + 1
    return [_Period(day, day) for day in (whole.first + timedelta(days=index) for index in range(count))]


def _months(whole: _Period) -> list[_Period]:
    """The calendar months of a period, the first and the last of them cut to it."""
    found: list[_Period] = []
    first = whole.first
    while first <= whole.last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        found.append(_Period(first, min(following - timedelta(days=1), whole.last)))
        first = following
    return found


def _once(whole: _Period) -> list[_Period]:
    return [whole] if whole.first <= whole.last else []


class UsageRecords:
    """Handlers of Usage/Records."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}/Usage/Records"
        return [
            web.get(f"{base}.json", self.list_all),
            web.get(f"{base}/Daily.json", self.list_daily),
            web.get(f"{base}/Monthly.json", self.list_monthly),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        return self._answer(request, _once)

    async def list_daily(self, request: web.Request) -> web.Response:
        return self._answer(request, _days)

    async def list_monthly(self, request: web.Request) -> web.Response:
        return self._answer(request, _months)

    def _answer(self, request: web.Request, split: Callable[[_Period], list[_Period]]) -> web.Response:
        account = acting_account(self._state, request)
        charges = self._charges(request, account)
        periods = {period.first.isoformat(): period for period in split(self._asked_for(request, charges))}
        wanted = request.query.get("Category")
        categories = [name for name in _CATEGORIES if wanted in (None, "", name)]
        page = Page(request, [f"{first}/{category}" for first in periods for category in categories], 50)
        sums = _sums(charges, periods.values())
        records = []
        for key in page.keys:
            first, _, category = key.partition("/")
            records.append(self._record(account, category, periods[first], sums.get((first, category), Sum())))
        return answer({"usage_records": records, **page.uris()})

    def _charges(self, request: web.Request, account: str) -> list[Charge]:
        """What Twilio bills to the account and, unless the caller wants none of them, to its subaccounts."""
        accounts = {account}
        if request.query.get("IncludeSubaccounts", "true").lower() != "false":
            accounts |= {
                sid for sid, row in self._state.storage.rows(ACCOUNTS).items() if row["owner_account_sid"] == account
            }
        return [charge for charge in self._state.prices.charges() if charge.account in accounts]

    def _asked_for(self, request: web.Request, charges: list[Charge]) -> _Period:
        """The period of a request; without dates, from the first charge until today."""
        today = datetime.fromtimestamp(self._state.settings.time(), UTC).date()
        earliest = min((date.fromisoformat(charge.day) for charge in charges), default=today)
        return _Period(_day(request, "StartDate", today, earliest), _day(request, "EndDate", today, today))

    def _record(self, account: str, category: str, period: _Period, found: Sum) -> Json:
        price = None if found.amount is None else dollars(found.amount)
        count = str(int(found.quantity))
        is_total = category == "totalprice"
        dates = {"start_date": period.first.isoformat(), "end_date": period.last.isoformat()}
        base = f"/2010-04-01/Accounts/{account}/Usage/Records"
        query = f"?Category={category}&StartDate={dates['start_date']}&EndDate={dates['end_date']}"
        return {
            "account_sid": account,
            "api_version": "2010-04-01",
            "as_of": datetime.fromtimestamp(self._state.settings.time(), UTC).isoformat(timespec="seconds"),
            "category": category,
            "description": _CATEGORIES[category],
            **dates,
            "count": count,
            "count_unit": "messages",
            "usage": price if is_total else count,
            "usage_unit": "usd" if is_total else "messages",
            "price": price,
            "price_unit": "usd",
            "subresource_uris": {name.lower(): f"{base}/{name}.json{query}" for name in ("Daily", "Monthly")},
            "uri": f"{base}.json{query}",
        }


def _sums(charges: list[Charge], periods: Iterable[_Period]) -> dict[tuple[str, str], Sum]:
    """Sums by the first day of a period and a category."""
    first_of = {
        (period.first + timedelta(days=index)).isoformat(): period.first.isoformat()
        for period in periods
        for index in range((period.last - period.first).days + 1)
    }
    sums: dict[tuple[str, str], Sum] = {}
    for charge in charges:
        if (first := first_of.get(charge.day)) is not None:
            for category in categories_of(charge):
                sums.setdefault((first, category), Sum()).add(charge)
    return sums


def _day(request: web.Request, name: str, today: date, default: date) -> date:
    """A date in the query: YYYY-MM-DD, or days from today like -30days."""
    text = request.query.get(name)
    if not text:
        return default
    if found := _FROM_TODAY.fullmatch(text):
        return today + timedelta(days=int(found[1] + found[2]))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise error(400, 20001, f"Invalid {name} {text}: it is a date like 2026-11-30") from None
