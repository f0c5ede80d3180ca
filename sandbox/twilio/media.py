"""Media of messages: Messages/{sid}/Media, and the content behind a MediaUrl.

A MediaUrl needs the account's credentials and redirects to another host, `media_server`, which takes none.
"""

from base64 import b64decode
from binascii import Error as Base64Error

from aiohttp import web

from sandbox.errors import InputError
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio.media_server import signed_url
from sandbox.twilio.messages import Messages
from sandbox.twilio.wire import Page, not_found, rfc2822

_KNOWN = {"content_type", "base64", "url", "bytes"}
_SHAPE = 'a medium is {"content_type", "base64"}, or with "bytes" to fill it up to a size, or {"content_type", "url"}'
_LARGEST = 2**30


class Media:
    """Handlers of Media, and what a phone needs to attach a file."""

    def __init__(self, state: State, messages: Messages) -> None:
        self._state = state
        self._messages = messages

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}/Messages/{sid}/Media"
        return [
            web.get(f"{base}.json", self.list_all),
            web.get(f"{base}/{{media}}.json", self.get),
            web.get(f"{base}/{{media}}", self.content),
            web.delete(f"{base}/{{media}}.json", self.delete),
            web.delete(f"{base}/{{media}}", self.delete),
        ]

    def attach(self, origin: str, account: str, message: str, items: object) -> list[Json]:
        """Stores what a phone attached. Returns url and content_type of each. Raises InputError with a sentence."""
        if not isinstance(items, list):
            raise InputError(f"'media' is a list; {_SHAPE}")
        return [self._attached(origin, account, message, item) for item in items]

    def _attached(self, origin: str, account: str, message: str, item: object) -> Json:
        if not isinstance(item, dict) or not item.keys() <= _KNOWN or "content_type" not in item:
            raise InputError(_SHAPE)
        if "url" in item:
            return {"url": str(item["url"]), "content_type": str(item["content_type"])}
        try:
            content = b64decode(str(item.get("base64", "")), validate=True)
        except Base64Error as error:
            raise InputError(f"'base64' of a medium cannot be decoded: {error}") from None
        size = item.get("bytes", len(content))
        if isinstance(size, bool) or not isinstance(size, int) or not len(content) <= size <= _LARGEST:
            raise InputError(f"'bytes' of a medium is its size, not {size!r}")
        row = self.keep(account, message, str(item["content_type"]), content, size)
        return {"url": origin + str(row["uri"]).removesuffix(".json"), "content_type": row["content_type"]}

    def keep(self, account: str, message: str, content_type: str, content: bytes, size: int | None = None) -> Json:
        """Stores a file of a message, filled up with zeros to a size."""
        sid, now = new_id("ME"), rfc2822(self._state.settings.time())
        row: Json = {
            "sid": sid,
            "account_sid": account,
            "parent_sid": message,
            "content_type": content_type,
            "date_created": now,
            "date_updated": now,
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{message}/Media/{sid}.json",
        }
        with self._state.storage.blob(sid).open("wb") as file:
            file.write(content)
            if size is not None:
                file.truncate(size)
        return self._state.storage.put(f"media/{message}", sid, row)

    def _found(self, request: web.Request) -> Json:
        return self._known(self._messages.found(request)["sid"], request)

    def _known(self, message: str, request: web.Request) -> Json:
        row = self._state.storage.get(f"media/{message}", request.match_info["media"])
        if row is None:
            raise not_found(request.path)
        return row

    async def list_all(self, request: web.Request) -> web.Response:
        rows = self._state.storage.rows(f"media/{self._messages.found(request)['sid']}")
        page = Page(request, list(rows), 50)
        return answer({"media_list": [public(rows[sid]) for sid in page.keys], **page.uris()})

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self._found(request)))

    async def content(self, request: web.Request) -> web.Response:
        """Redirects to the content. Accounts that do not enforce authentication are asked for none."""
        if self._state.settings.values.media_auth:
            row = self._found(request)
        else:
            row = self._known(request.match_info["sid"], request)
        return web.Response(status=307, headers={"Location": str(signed_url(self._state, row, request.url))})

    async def delete(self, request: web.Request) -> web.Response:
        row = self._found(request)
        self._messages.require_complete(self._messages.found(request))
        self._messages.delete_media(row)
        return web.Response(status=204)
