"""Media of messages: Messages/{sid}/Media, and the content behind a MediaUrl.

A MediaUrl needs the account's credentials and redirects to a URL that needs none, like Twilio's CDN.
"""

import time
from base64 import b64decode
from binascii import Error as Base64Error

from aiohttp import web

from sandbox.errors import InputError
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio.messages import Messages
from sandbox.twilio.wire import Page, not_found, rfc2822

_KNOWN = {"content_type", "base64", "url"}


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
            web.get("/_sandbox/media/{media}", self.download),
        ]

    def attach(self, origin: str, account: str, message: str, items: object) -> list[Json]:
        """Stores what a phone attached. Returns url and content_type of each. Raises InputError with a sentence."""
        if not isinstance(items, list):
            raise InputError('\'media\' is a list of {"content_type", "base64"} or {"content_type", "url"}')
        return [self._attached(origin, account, message, item) for item in items]

    def _attached(self, origin: str, account: str, message: str, item: object) -> Json:
        if not isinstance(item, dict) or not item.keys() <= _KNOWN or "content_type" not in item:
            raise InputError('a medium is {"content_type", "base64"} or {"content_type", "url"}')
        if "url" in item:
            return {"url": str(item["url"]), "content_type": str(item["content_type"])}
        try:
            content = b64decode(str(item.get("base64", "")), validate=True)
        except Base64Error as error:
            raise InputError(f"'base64' of a medium cannot be decoded: {error}") from None
        sid = new_id("ME")
        path = f"/2010-04-01/Accounts/{account}/Messages/{message}/Media/{sid}"
        now = rfc2822(time.time())
        row: Json = {
            "sid": sid,
            "account_sid": account,
            "parent_sid": message,
            "content_type": str(item["content_type"]),
            "date_created": now,
            "date_updated": now,
            "uri": f"{path}.json",
        }
        self._state.storage.blob(sid).write_bytes(content)
        self._state.storage.put(f"media/{message}", sid, row)
        return {"url": origin + path, "content_type": row["content_type"]}

    def _found(self, request: web.Request) -> Json:
        message = self._messages.found(request)
        row = self._state.storage.get(f"media/{message['sid']}", request.match_info["media"])
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
        row = self._found(request)
        place = f"{request.scheme}://{request.host}/_sandbox/media/{row['sid']}?type={row['content_type']}"
        return web.Response(status=307, headers={"Location": place})

    async def delete(self, request: web.Request) -> web.Response:
        row = self._found(request)
        self._state.storage.blob(row["sid"]).unlink(missing_ok=True)
        self._state.storage.delete(f"media/{row['parent_sid']}", row["sid"])
        return web.Response(status=204)

    async def download(self, request: web.Request) -> web.Response:
        """The content itself, for any caller who knows the sid."""
        sid = request.match_info["media"]
        path = self._state.storage.blob(sid) if sid.startswith("ME") and sid.isalnum() else None
        if path is None or not path.is_file():
            return answer({"error": f"there is no medium {sid}"}, 404)
        return web.Response(body=path.read_bytes(), headers={"Content-Type": request.query.get("type", "")})
