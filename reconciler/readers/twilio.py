"""Live objects at Twilio: the WhatsApp senders of one account.

Twilio: Senders API v2 (public beta). The list is sparse, so missing fields are fetched one by one, and only then.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import PermanentError
from reconciler.readers.http import Reader
from reconciler.readers.shape import listed, mapping, text, understood
from reconciler.settings import Settings
from schemas.addresses import number_of

HOST = "https://messaging.twilio.com"
PATH = "/v2/Channels/Senders"
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
    is_rating_told: bool = False
    """Whether Twilio's answer contained the rating; a list may leave it out."""


class TwilioReader:
    """Reads one account's senders to the end."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str) -> None:
        self.account_sid = account_sid
        self._http = Reader(
            settings.twilio_base_url or HOST,
            headers={"Authorization": f"Basic {b64encode(f'{account_sid}:{auth_token}'.encode()).decode()}"},
            timeout=settings.timeout,
        )

    def senders(self) -> Sequence[LiveSender]:
        """Every WhatsApp sender, in pages of a thousand."""
        found: list[LiveSender] = []
        seen: set[str] = set()
        page = self._http.get(PATH, {"Channel": "whatsapp", "PageSize": PAGE})
        while True:
            if not isinstance(page, dict) or not isinstance(page.get("senders"), list):
                raise PermanentError("Twilio's list has no `senders`")
            found += understood("a sender of Twilio's list", page["senders"], _sender)
            meta = page.get("meta")
            following = meta.get("next_page_url") if isinstance(meta, dict) else None
            if not following:
                return found
            if following in seen:
                raise PermanentError("Twilio's list of senders names the same next page twice")
            seen.add(following)
            page = self._http.get(_path_and_query(following))

    def sender(self, sid: str) -> LiveSender:
        """One sender, complete."""
        [live] = understood(f"Twilio's sender {sid}", [self._http.get(f"{PATH}/{sid}")], _sender)
        return live


def _path_and_query(url: str) -> str:
    """Twilio returns the next page's URL with its own host; when another base is configured it is called there."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _sender(item: Mapping[str, Any]) -> LiveSender:
    reasons = [reason.get("message") or str(reason.get("code")) for reason in listed(item.get("offline_reasons"))]
    profile = mapping(item.get("profile"))
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
        is_rating_told=item.get("properties") is not None,
    )
