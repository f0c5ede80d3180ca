"""What `doctor` asks an account about one number: the newest file that it received.

Twilio: Messages and Media of the 2010-04-01 API.
"""

from __future__ import annotations

from base64 import b64encode

from reconciler.readers.http import Reader
from reconciler.readers.shape import listed, mapping, text
from reconciler.settings import Settings
from schemas.addresses import whatsapp_address

API_HOST = "https://api.twilio.com"
NEWEST = 50
"""Messages among which a file is looked for."""


class NumberReader:
    """Reads about one number of one account. Raises a `ProviderError`."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str) -> None:
        self._account_sid = account_sid
        self.base_url = settings.twilio_base_url or API_HOST
        headers = {"Authorization": f"Basic {b64encode(f'{account_sid}:{auth_token}'.encode()).decode()}"}
        self._api = Reader(self.base_url, headers=headers, timeout=settings.timeout)

    def newest_file(self, number: str) -> str | None:
        """The URL of a file that the number received, as the webhook names it; None where there is none lately."""
        messages = f"/2010-04-01/Accounts/{self._account_sid}/Messages"
        found = mapping(self._api.get(f"{messages}.json", {"To": whatsapp_address(number), "PageSize": NEWEST}))
        for message in listed(found.get("messages")):
            if str(message.get("num_media") or "0") == "0":
                continue
            files = mapping(self._api.get(f"{messages}/{text(message['sid'])}/Media.json")).get("media_list")
            for file in listed(files):
                return self.base_url + text(file["uri"]).removesuffix(".json")
        return None
