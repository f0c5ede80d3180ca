"""Where the content of media is served: a host of its own beside Twilio's API, whose URLs are signed and short-lived.

Like a store behind a CDN it refuses a caller that sends credentials besides the signature: those of Twilio's account
are for Twilio only.
"""

import hashlib
import hmac
import secrets

from aiohttp import web
from yarl import URL

from sandbox.errors import ProviderRefusal
from sandbox.middleware import stand_in_middleware
from sandbox.state import State
from sandbox.storage import Json
from sandbox.twilio.wire import NAME

_LIFETIME = 4 * 3600
"""Seconds."""
_PATH = "/{account}/{message}/{media}"


def signed_url(state: State, row: Json, reached: URL) -> URL:
    """Where a medium's content can be fetched for four hours, by a caller that `reached` Twilio at that URL."""
    path = _PATH.format(account=row["account_sid"], message=row["parent_sid"], media=row["sid"])
    expires = str(state.now() + _LIFETIME)
    query = {"Expires": expires, "Signature": _signature(state, path, expires)}
    return URL.build(scheme="http", host=reached.host or "", port=state.media_port, path=path, query=query)


def _signature(state: State, path: str, expires: str) -> str:
    key = state.credentials.auth_token.encode()
    return hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def application(state: State) -> web.Application:
    """The media server as one aiohttp application."""
    app = web.Application(middlewares=[stand_in_middleware(state, MediaServer(state))])
    app.router.add_get(_PATH, _Content(state).get)
    return app


class MediaServer:
    """How the media server authenticates and reports errors."""

    name = NAME

    def __init__(self, state: State) -> None:
        self._state = state

    def authenticate(self, request: web.Request) -> None:
        if "Authorization" in request.headers:
            raise _refused(400, "Only one auth mechanism allowed: the signature in the URL, or Authorization")
        expires = request.query.get("Expires", "")
        signature = _signature(self._state, request.path, expires)
        if not secrets.compare_digest(signature.encode(), request.query.get("Signature", "").encode()):
            raise _refused(403, "Access denied")
        if not expires.isdecimal() or int(expires) < self._state.now():
            raise _refused(403, "Request has expired")

    def fault(self, status: int, retry_after: float | None) -> ProviderRefusal:
        del retry_after
        return _refused(status, "The request was refused by a fault of the sandbox")

    def no_such_path(self, method: str, path: str) -> ProviderRefusal:
        return _refused(404, f"{method} {path} was not found")

    def headers(self, started: float) -> dict[str, str]:
        del started
        return {"X-Cache": "Miss from cloudfront"}

    def without_items(self, answer: Json) -> Json:
        return answer


def _refused(status: int, message: str) -> ProviderRefusal:
    return ProviderRefusal(status, {"error": message})


class _Content:
    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, request: web.Request) -> web.Response:
        row = self._state.storage.get(f"media/{request.match_info['message']}", request.match_info["media"])
        if row is None:
            raise _refused(404, f"{request.path} was not found")
        return web.Response(body=self._bytes(row["sid"]), headers={"Content-Type": row["content_type"]})

    def _bytes(self, sid: str) -> bytes:
        return self._state.storage.blob(sid).read_bytes()
