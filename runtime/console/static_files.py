"""The style sheet, the icon, our script and htmx, served from this package: nothing is loaded from another site.

htmx is the file `dist/htmx.min.js` of the npm package `htmx.org` 4.0.1 (Zero-Clause BSD), byte by byte; a test compares
it with HTMX_SHA256.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from aiohttp import web

from runtime.console.page import HOME, OpenPage, OperatorPage, Visit, not_here
from runtime.console.rendering import STATIC

HTMX_SHA256: Final = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
TYPES: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def pages() -> list[OperatorPage | OpenPage]:
    """The pages served."""
    return [OpenPage("GET", f"{HOME}/static/{{name}}", send, has_forms=False)]


async def send(visit: Visit) -> web.StreamResponse:
    """GET /console/static/{name}; its address has a digest of it, so browsers keep it."""
    name = visit.request.match_info["name"]
    if name not in TYPES:
        raise not_here()
    return web.Response(
        body=_content(name),
        content_type=TYPES[name],
        charset="utf-8",
        headers={"Cache-Control": "private, max-age=31536000, immutable"},
    )


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()
