"""Live objects at Twilio: the WhatsApp senders of one account, its Messaging Services, and its contents.

Twilio: Senders API v2 (public beta). The list is sparse, so missing fields are fetched one by one, and only then.
Content API v1: contents have no metadata, so ours are known by their names. Messaging Services v1.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import PermanentError
from reconciler.event_streams import TYPE
from reconciler.readers.http import Reader
from reconciler.readers.shape import listed, mapping, text, understood
from reconciler.settings import Settings
from schemas.addresses import number_of
from schemas.content_shapes import is_ours

HOST = "https://messaging.twilio.com"
CONTENT_HOST = "https://content.twilio.com"
PATH = "/v2/Channels/Senders"
CONTENT_PATH = "/v1/Content"
APPROVALS_PATH = "/v1/ContentAndApprovals"
SERVICES_PATH = "/v1/Services"
EVENTS_HOST = "https://events.twilio.com"
SINKS_PATH, SUBSCRIPTIONS_PATH = "/v1/Sinks", "/v1/Subscriptions"
EVENTS_PAGE = 100
"""A page of sinks, subscriptions or types; an account has a handful."""
SERVICES_PAGE = 100
"""The largest page of Messaging Services."""
CONTENT_PAGE = 500
"""The largest page of contents."""
PAGE = 1000
"""The largest page; Twilio's own default of 20 would cost fifty calls for a thousand senders."""


ONLINE = ("ONLINE", "ONLINE:UPDATING")
"""Statuses of a sender that receives and sends messages."""


@dataclass(frozen=True, slots=True)
class LiveSender:
    """A WhatsApp sender as Twilio returns it."""

    sid: str
    number: str
    """E.164, without the `whatsapp:` in front."""
    status: str
    """CREATING, PENDING_VERIFICATION, VERIFYING, ONLINE, ONLINE:UPDATING, OFFLINE, …; an open list."""
    webhook: Mapping[str, Any] | None
    """None when Twilio's answer did not contain it."""
    profile: Mapping[str, Any] | None
    offline_reasons: Sequence[str] = ()
    quality_rating: str | None = None
    """HIGH, MEDIUM, LOW, …; None where Twilio did not return it or there is no rating yet."""
    messaging_limit: str | None = None
    """How many people may be written to first within 24 hours, in Twilio's words (`10K Customers/24hr`). Meta: of the
    whole business portfolio, shared by its numbers."""
    voice_application: str | None = None
    """`AP…`, which answers people's calls; None where calls are off, or Twilio did not return it."""
    is_voice_told: bool = False
    """Whether Twilio's answer contained the voice application; a list leaves it out."""
    is_rating_told: bool = False
    """Whether Twilio's answer contained the rating; a list may leave it out."""


@dataclass(frozen=True, slots=True)
class LiveTemplate:
    """A content of Twilio's that may be sent as a template, with what Meta says about it."""

    sid: str
    name: str
    """`friendly_name`, by which ours are found again."""
    created: str
    document: Mapping[str, Any]
    """As Twilio returns it: `language`, `variables`, `types`."""
    status: str = "unsubmitted"
    """unsubmitted, received, pending, approved, rejected, paused, disabled; an open list."""
    category: str | None = None
    """utility, marketing or authentication: what Meta charges it as. None before it is submitted."""
    rejection_reason: str = ""


class MessagingService(NamedTuple):
    """A Messaging Service, which may take its senders' messages.

    Twilio: its inbound request URL is called and not a sender's webhook, unless it defers to the sender's.
    """

    sid: str
    inbound_url: str
    """What it calls for a message; empty for nothing."""
    uses_sender_webhook: bool
    senders: frozenset[str]
    """The SIDs of its senders."""


class LiveSink(NamedTuple):
    """A webhook to which Twilio sends an account's events (Event Streams v1)."""

    sid: str
    destination: str
    status: str
    """initialized, validating, active, failed; an open list."""
    has_events: bool = False
    """Whether it is subscribed to what Meta decides about templates."""


class TwilioReader:
    """Reads one account's senders to the end."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str) -> None:
        self.account_sid = account_sid
        headers = {"Authorization": f"Basic {b64encode(f'{account_sid}:{auth_token}'.encode()).decode()}"}
        self._http, self._content_http, self._events_http = (
            Reader(settings.twilio_base_url or host, headers=headers, timeout=settings.timeout)
            for host in (HOST, CONTENT_HOST, EVENTS_HOST)
        )

    def senders(self) -> Sequence[LiveSender]:
        """Every WhatsApp sender, in pages of a thousand."""
        pages = _pages(self._http, PATH, {"Channel": "whatsapp", "PageSize": PAGE}, "senders")
        return [live for page in pages for live in understood("a sender of Twilio's list", page, _sender)]

    def contents(self) -> Mapping[str, str]:
        """Name → `HX…` of the contents that are ours; of two with one name, which interrupted runs leave, the older."""
        pages = _pages(self._content_http, CONTENT_PATH, {"PageSize": CONTENT_PAGE}, "contents")
        found = [item for page in pages for item in understood("a content of Twilio's list", page, _content) if item]
        return {name: sid for _, sid, name in sorted(found, reverse=True)}

    def templates(self) -> Sequence[LiveTemplate]:
        """Every content of the account but the shapes of buttons and lists."""
        pages = _pages(self._content_http, APPROVALS_PATH, {"PageSize": CONTENT_PAGE}, "contents")
        found = [item for page in pages for item in understood("a content of Twilio's list", page, live_template)]
        return [live for live in found if not is_ours(live.name)]

    def sinks(self, path: str) -> Sequence[LiveSink]:
        """The webhooks of the account's events whose address has this path, with what those are subscribed to."""
        pages = _pages(self._events_http, SINKS_PATH, {"PageSize": EVENTS_PAGE}, "sinks")
        found = [item for page in pages for item in understood("a sink of Twilio's list", page, _sink)]
        ours = [sink for sink in found if sink is not None and path in sink.destination]
        return [sink._replace(has_events=self._has_events(sink.sid)) for sink in ours]

    def _has_events(self, sink_sid: str) -> bool:
        query: dict[str, str | int] = {"SinkSid": sink_sid, "PageSize": EVENTS_PAGE}
        pages = _pages(self._events_http, SUBSCRIPTIONS_PATH, query, "subscriptions")
        sids = [text(item["sid"]) for page in pages for item in page if item.get("sink_sid") == sink_sid]
        paths = [f"{SUBSCRIPTIONS_PATH}/{sid}/SubscribedEvents" for sid in sids]
        listed_types = (_pages(self._events_http, path, {"PageSize": EVENTS_PAGE}, "types") for path in paths)
        return any(item.get("type") == TYPE for pages in listed_types for page in pages for item in page)

    def services(self) -> Sequence[MessagingService]:
        """Every Messaging Service with its senders."""
        pages = _pages(self._http, SERVICES_PATH, {"PageSize": SERVICES_PAGE}, "services")
        return [live for page in pages for live in understood("a Messaging Service of Twilio's", page, self._service)]

    def _service(self, item: Mapping[str, Any]) -> MessagingService:
        sid = text(item["sid"])
        pages = _pages(self._http, f"{SERVICES_PATH}/{sid}/ChannelSenders", {"PageSize": SERVICES_PAGE}, "senders")
        return MessagingService(
            sid,
            str(item.get("inbound_request_url") or ""),
            bool(item.get("use_inbound_webhook_on_number")),
            frozenset(text(member["sid"]) for page in pages for member in listed(page)),
        )

    def sender(self, sid: str) -> LiveSender:
        """One sender, complete."""
        [live] = understood(f"Twilio's sender {sid}", [self._http.get(f"{PATH}/{sid}")], _sender)
        return live


def _pages(http: Reader, path: str, query: Mapping[str, str | int], key: str) -> Iterator[list[Any]]:
    """Every page of a list; each names the next one."""
    seen: set[str] = set()
    page = http.get(path, query)
    while True:
        if not isinstance(page, dict) or not isinstance(page.get(key), list):
            raise PermanentError(f"Twilio's list has no `{key}`")
        yield page[key]
        meta = page.get("meta")
        following = meta.get("next_page_url") if isinstance(meta, dict) else None
        if not following:
            return
        if following in seen:
            raise PermanentError(f"Twilio's list of {key} names the same next page twice")
        seen.add(following)
        page = http.get(_path_and_query(following))


def _sink(item: Mapping[str, Any]) -> LiveSink | None:
    """None for one that is not a webhook called with POST."""
    configuration = mapping(item.get("sink_configuration"))
    if item.get("sink_type") != "webhook" or str(configuration.get("method", "POST")).upper() != "POST":
        return None
    return LiveSink(text(item["sid"]), str(configuration.get("destination") or ""), str(item.get("status") or ""))


def _content(item: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """When it was made, its SID and its name; None for one that is not ours."""
    name = item.get("friendly_name")
    if not isinstance(name, str) or not is_ours(name):
        return None
    return str(item.get("date_created")), text(item["sid"]), name


def live_template(item: Mapping[str, Any]) -> LiveTemplate:
    """One of Twilio's list of contents with approvals."""
    approval = approval_of(item.get("approval_requests"))
    category = approval.get("category")
    return LiveTemplate(
        sid=text(item["sid"]),
        name=str(item.get("friendly_name") or ""),
        created=str(item.get("date_created")),
        document=item,
        status=str(approval.get("status") or "unsubmitted").lower(),
        category=category.lower() if isinstance(category, str) else None,
        rejection_reason=str(approval.get("rejection_reason") or ""),
    )


def approval_of(requests: Any) -> Mapping[str, Any]:
    """What WhatsApp says in `approval_requests`: an object, one below `whatsapp`, or a list of them; {} for a content
    that was never submitted."""
    if isinstance(requests, list):
        requests = next(iter(requests), {})
    inner = mapping(requests).get("whatsapp")
    return mapping(requests if inner is None else inner)


def _path_and_query(url: str) -> str:
    """Twilio returns the next page's URL with its own host; when another base is configured it is called there."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _offline(reason: Mapping[str, Any]) -> str:
    """Why a sender is offline, in Twilio's words, and in ours with what to do where the code is known."""
    from runtime.store.delivery_errors import DELIVERY_ERRORS  # most senders are online

    code = str(reason.get("code") or "")
    known = DELIVERY_ERRORS.get(code)
    said = str(reason.get("message") or "Twilio gives no reason")
    if known is not None:
        return f"{said} [{code}: {known.says}; {known.fix}]"
    return f"{said} ({code})" if code else said


def _sender(item: Mapping[str, Any]) -> LiveSender:
    reasons = [_offline(reason) for reason in listed(item.get("offline_reasons"))]
    profile, configuration = mapping(item.get("profile")), mapping(item.get("configuration"))
    for several, one in (("emails", "email"), ("websites", "website")):
        for entry in listed(profile.get(several)):
            text(entry[one])
    return LiveSender(
        sid=text(item["sid"]),
        number=number_of(text(item["sender_id"])),
        status=item.get("status") or "UNKNOWN",
        webhook=None if item.get("webhook") is None else mapping(item["webhook"]),
        profile=None if item.get("profile") is None else profile,
        offline_reasons=reasons,
        quality_rating=mapping(item.get("properties")).get("quality_rating"),
        messaging_limit=mapping(item.get("properties")).get("messaging_limit"),
        voice_application=configuration.get("voice_application_sid") or None,
        is_voice_told="voice_application_sid" in configuration,
        is_rating_told=item.get("properties") is not None,
    )
