"""The header Expect. aiohttp's own handler repeats an unknown value in its answer, and fails where it is not text."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import HttpVersion11, web


def with_expectations(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """The routes, with this module's answer to the header."""
    return [
        web.RouteDef(route.method, route.path, route.handler, {**route.kwargs, "expect_handler": _continue})
        for route in routes
    ]


async def _continue(request: web.Request) -> None:
    """Asks for the body that a client holds back; raises 417 when it expects anything else."""
    if request.version != HttpVersion11:
        return
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun
