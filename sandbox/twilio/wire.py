"""Twilio's conventions: Basic authentication per account, error bodies, forms, dates, paged lists.

What an endpoint means is written with the endpoint, never here.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from sandbox.errors import ProviderRefusal
from sandbox.middleware import basic_auth, retry_after_header
from sandbox.state import State
from sandbox.storage import Json

NAME = "twilio"
ACCOUNTS = "accounts"
_LISTS = ("senders", "messages", "contents", "media_list", "usage_records", "sinks", "subscriptions", "types")
"""Where a page of a list has its items."""
_MEDIA_URL = re.compile(r"/2010-04-01/Accounts/AC\w+/Messages/\w+/Media/ME\w+")


def error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> ProviderRefusal:
    """An error in the shape that every Twilio endpoint answers with."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return ProviderRefusal(status, {"code": code, "message": message, "more_info": more, "status": status}, headers)


def not_found(path: str) -> ProviderRefusal:
    return error(404, 20404, f"The requested resource {path} was not found")


def unauthenticated() -> ProviderRefusal:
    return error(401, 20003, "Authenticate")


def rfc2822(instant: float) -> str:
    return format_datetime(datetime.fromtimestamp(instant, UTC))


def dollars(nano_usd: int) -> str:
    """An amount of 10⁻⁹ USD as Twilio writes it."""
    return f"{Decimal(nano_usd).scaleb(-9):.5f}"


def account_of(request: web.Request) -> str:
    """The account whose credentials the call carries."""
    return basic_auth(request)[0]


def acting_account(state: State, request: web.Request) -> str:
    """The account in a 2010-04-01 path: the caller's own, or one of its subaccounts."""
    named = request.match_info["account"]
    account = state.storage.get(ACCOUNTS, named)
    if account is None or account_of(request) not in (named, account["owner_account_sid"]):
        raise not_found(request.path)
    return named


async def form_of(request: web.Request) -> dict[str, list[str]]:
    """The request's form, every field with all its values."""
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True):
        fields.setdefault(name, []).append(value)
    return fields


class TwilioStandIn:
    """How Twilio authenticates and reports errors."""

    name = NAME

    def __init__(self, state: State) -> None:
        self._state = state

    def authenticate(self, request: web.Request) -> None:
        if self._is_open(request):
            return
        user, password = basic_auth(request)
        account = self._state.storage.get(ACCOUNTS, user)
        if account is None or not secrets.compare_digest(account["auth_token"].encode(), password.encode()):
            raise unauthenticated()
        if account["status"] != "active":
            raise error(401, 20005, "Account not active")

    def _is_open(self, request: web.Request) -> bool:
        """Whether it is a MediaUrl of an account that does not enforce authentication on them."""
        is_read = request.method in ("GET", "HEAD") and _MEDIA_URL.fullmatch(request.path) is not None
        return is_read and not self._state.settings.values.media_auth

    def fault(self, status: int, retry_after: float | None) -> ProviderRefusal:
        headers = retry_after_header(retry_after)
        if status == 429:
            return error(429, 20429, "Too Many Requests", headers)
        if status >= 500:
            return error(status, 20500, "An internal server error has occurred", headers)
        return error(status, 20001, "The request was refused by a fault of the sandbox", headers)

    def no_such_path(self, method: str, path: str) -> ProviderRefusal:
        del method
        return not_found(path)

    def headers(self, started: float) -> dict[str, str]:
        del started
        return {"Twilio-Request-Id": "RQ" + secrets.token_hex(16), "X-Home-Region": "us1"}

    def without_items(self, document: Json) -> Json:
        return {**document, **{name: [] for name in _LISTS if name in document}}


def page_size(request: web.Request, default: int) -> int:
    text = request.query.get("PageSize", str(default))
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise error(400, 20001, f"Invalid PageSize {text}: it is between 1 and 1000")
    return int(text)


class Page:
    """One page of a list: which rows, and where its neighbours are. The token names the first row of the page."""

    def __init__(self, request: web.Request, keys: Sequence[str], default_size: int) -> None:
        self._request = request
        self.size = page_size(request, default_size)
        self.start = _position(request.query.get("PageToken"), keys)
        self.keys = list(keys[self.start : self.start + self.size])
        end = self.start + self.size
        self._next = keys[end] if end < len(keys) else None
        self._previous = keys[max(self.start - self.size, 0)] if self.start else None
        self.number = int(request.query.get("Page", "0") or 0)

    def _link(self, token: str | None, number: int) -> str:
        query = {
            name: value for name, value in self._request.query.items() if name not in ("Page", "PageToken", "PageSize")
        }
        query |= {"PageSize": str(self.size), "Page": str(number)}
        if token is not None:
            query["PageToken"] = "PT" + urlsafe_b64encode(token.encode()).decode()
        return f"{self._request.path}?{urlencode(query)}"

    def _neighbours(self) -> tuple[str | None, str | None]:
        previous = self._link(self._previous, max(self.number - 1, 0)) if self._previous is not None else None
        following = self._link(self._next, self.number + 1) if self._next is not None else None
        return previous, following

    def uris(self) -> Json:
        """The paging of a list of the 2010-04-01 API, relative to its host."""
        previous, following = self._neighbours()
        return {
            "page": self.number,
            "page_size": self.size,
            "start": self.start,
            "end": self.start + max(len(self.keys) - 1, 0),
            "uri": self._request.path_qs,
            "first_page_uri": self._link(None, 0),
            "next_page_uri": following,
            "previous_page_uri": previous,
        }

    def meta(self, key: str) -> Json:
        """The paging of a list of a newer API, with whole URLs."""
        previous, following = self._neighbours()
        origin = f"{self._request.scheme}://{self._request.host}"
        return {
            "key": key,
            "page": self.number,
            "page_size": self.size,
            "url": origin + self._request.path_qs,
            "first_page_url": origin + self._link(None, 0),
            "next_page_url": origin + following if following else None,
            "previous_page_url": origin + previous if previous else None,
        }


def _position(token: str | None, keys: Sequence[str]) -> int:
    if not token:
        return 0
    try:
        return keys.index(urlsafe_b64decode(token.removeprefix("PT")).decode())
    except ValueError:
        raise error(400, 20001, f"Invalid PageToken {token}") from None
