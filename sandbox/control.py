"""The sandbox's own endpoints, the same on each port: ledger, prices, faults, settings, reset.

They are not part of the providers' APIs: no credentials, no faults, no ledger entry.
"""

from json import JSONDecodeError
from typing import Any

from aiohttp import web

from sandbox.errors import InputError
from sandbox.ledger import KINDS
from sandbox.middleware import answer
from sandbox.price_ledger import totals
from sandbox.state import State

_UNIT = {"unit": "1e-9 USD"}
"""What amounts and unit prices are in."""


def refuse(status: int, sentence: str) -> web.Response:
    return answer({"error": sentence}, status)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body, {} for an empty one. Raises InputError with a sentence for the caller."""
    if not await request.read():
        return {}
    try:
        document = await request.json()
    except JSONDecodeError as error:
        raise InputError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError("the body is a JSON object")
    return document


class Control:
    """Handlers of /_sandbox/ that concern all providers."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/ledger", self.ledger),
            web.get("/_sandbox/ledger/summary", self.summary),
            web.get("/_sandbox/prices", self.prices),
            web.get("/_sandbox/prices/summary", self.price_summary),
            web.get("/_sandbox/faults", self.faults),
            web.put("/_sandbox/faults", self.set_faults),
            web.get("/_sandbox/settings", self.settings),
            web.put("/_sandbox/settings", self.set_settings),
            web.post("/_sandbox/compact", self.compact),
            web.post("/_sandbox/reset", self.reset),
        ]

    async def ledger(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind")
        if kind is not None and kind not in KINDS:
            return refuse(400, f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return refuse(400, f"since is the number of an entry, not {since!r}")
        following, entries = self._state.ledger.read(int(since), kind)
        return answer({"next": following, "entries": entries})

    async def summary(self, _: web.Request) -> web.Response:
        return answer(self._state.ledger.summary())

    async def prices(self, _: web.Request) -> web.Response:
        charges = self._state.prices.charges()
        return answer({**_UNIT, "entries": [charge.as_json() for charge in charges], "totals": totals(charges)})

    async def price_summary(self, _: web.Request) -> web.Response:
        return answer({**_UNIT, "totals": totals(self._state.prices.charges())})

    async def faults(self, _: web.Request) -> web.Response:
        return answer({"rules": [rule.as_json() for rule in self._state.faults.rules]})

    async def set_faults(self, request: web.Request) -> web.Response:
        try:
            self._state.faults.replace(await body_of(request))
        except InputError as error:
            return refuse(400, str(error))
        return await self.faults(request)

    async def settings(self, _: web.Request) -> web.Response:
        return answer(self._state.settings.as_json())

    async def set_settings(self, request: web.Request) -> web.Response:
        try:
            self._state.settings.update(await body_of(request))
        except InputError as error:
            return refuse(400, str(error))
        return await self.settings(request)

    async def compact(self, _: web.Request) -> web.Response:
        """Afterwards the folder has, beside the ledger, what the providers keep and nothing that they deleted."""
        self._state.storage.compact()
        return answer({"compacted": True})

    async def reset(self, _: web.Request) -> web.Response:
        await self._state.reset()
        return answer({"reset": True})
