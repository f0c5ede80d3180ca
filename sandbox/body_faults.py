"""Answers whose body goes wrong: too slow, without an end, of another type or length than it has.

Whether one does is decided in `faults`.
"""

import asyncio

from aiohttp import web

from sandbox.faults import Rule

_PIECES = 50
_PIECE = 2**16


async def with_fault(rule: Rule, request: web.Request, response: web.Response, body: bytes) -> web.StreamResponse:
    """The answer as the client gets it."""
    if rule.kind == "wrong_type":
        response.headers["Content-Type"] = rule.content_type
        return response
    broken = web.StreamResponse(headers=response.headers)
    if rule.kind != "endless_body":
        length = len(body) if rule.kind == "slow_body" else rule.length
        broken.content_length = 2 * len(body) if length is None else length
    await broken.prepare(request)
    if rule.kind == "slow_body":
        await _write_slowly(broken, body, rule.hold(30.0))
    elif rule.kind == "endless_body":
        await _write_for_ever(broken, body or b"\0", rule.hold(0.0))
    else:
        await broken.write(body)
        if broken.content_length is not None and broken.content_length > len(body) and request.transport is not None:
            request.transport.abort()
    return broken


async def _write_slowly(response: web.StreamResponse, body: bytes, seconds: float) -> None:
    size = max(-(-len(body) // _PIECES), 1)
    for at in range(0, len(body), size):
        await asyncio.sleep(seconds / _PIECES)
        await response.write(body[at : at + size])


async def _write_for_ever(response: web.StreamResponse, body: bytes, pause: float) -> None:
    """The body, then zeros, until the client hangs up."""
    await response.write(body)
    while True:
        await asyncio.sleep(pause)
        await response.write(bytes(_PIECE))
