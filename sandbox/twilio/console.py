"""Twilio's console, as far as people use it beside a reconciler: POST /_sandbox/senders registers senders, PATCH
changes one, accounts are opened.

What a person does in the console is not an API call and is not in the ledger.
"""

import time

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import InputError, ProviderRefusal
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio import sender_rules
from sandbox.twilio.accounts import Accounts
from sandbox.twilio.addresses import SENDER, number_of, whatsapp_address
from sandbox.twilio.senders import Senders
from sandbox.twilio.wire import ACCOUNTS

_FIELDS = (
    "sender_id",
    "status",
    "friendly_name",
    "webhook",
    "profile",
    "configuration",
    "account_sid",
    "offline_reasons",
    "properties",
)
_STATUSES = (
    "ONLINE",
    "OFFLINE",
    "CREATING",
    "PENDING_VERIFICATION",
    "VERIFYING",
    "ONLINE:UPDATING",
    "TWILIO_REVIEW",
    "DRAFT",
    "STUBBED",
)


class Console:
    """Handlers of /_sandbox/senders and /_sandbox/accounts."""

    def __init__(self, state: State, accounts: Accounts, senders: Senders) -> None:
        self._state = state
        self._accounts = accounts
        self._senders = senders

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/_sandbox/senders", self.register),
            web.patch("/_sandbox/senders/{number}", self.change),
            web.delete("/_sandbox/senders/{number}", self.remove),
            web.post("/_sandbox/accounts", self.open_account),
        ]

    async def register(self, request: web.Request) -> web.Response:
        """Takes one sender, or {"senders": [...]} for many at once."""
        try:
            body = await body_of(request)
            documents = body.get("senders", [body])
            made = [self._register(document) for document in documents]
        except InputError as error:
            return refuse(400, str(error))
        return answer({"senders": [public(sender) for sender in made]} if "senders" in body else public(made[0]), 201)

    def _register(self, document: Json) -> Json:
        sender_id, parts = _checked(document)
        if not SENDER.match(sender_id):
            raise InputError(f"sender_id is whatsapp:+<number>, not {sender_id!r}")
        if self._senders.by_number(number_of(sender_id)) is not None:
            raise InputError(f"{sender_id} is registered already; PATCH /_sandbox/senders/{{number}} changes it")
        account = document.get("account_sid") or self._state.credentials.account_sid
        if self._state.storage.get(ACCOUNTS, account) is None:
            raise InputError(f"there is no account {account}; POST /_sandbox/accounts opens one")
        return self._senders.register(account, sender_id, parts, document.get("status", "ONLINE"))

    async def change(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        sender = self._senders.by_number(number)
        if sender is None:
            return _nobody(number)
        try:
            document = await body_of(request)
            _, parts = _checked(document)
        except InputError as error:
            return refuse(400, str(error))
        more = {key: document[key] for key in ("status", "offline_reasons", "properties") if key in document}
        return answer(public(self._senders.change(sender, parts, **more, _since=time.time())))

    async def remove(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        sender = self._senders.by_number(number)
        if sender is None:
            return _nobody(number)
        self._senders.remove(sender)
        return web.Response(status=204)

    async def open_account(self, request: web.Request) -> web.Response:
        try:
            body = await body_of(request)
        except InputError as error:
            return refuse(400, str(error))
        sid = str(body.get("sid") or new_id("AC"))
        token = str(body.get("auth_token") or new_id("", 32))
        name = str(body.get("friendly_name") or "Client")
        return answer(public(self._accounts.open(sid, token, name, owner=self._state.credentials.account_sid)), 201)


def _nobody(number: str) -> web.Response:
    return refuse(404, f"there is no sender with the number {number}")


def _checked(document: Json) -> tuple[str, Json]:
    """The sender's id and the keys that the console accepts. Raises InputError with a sentence."""
    for key in document:
        if key not in _FIELDS:
            raise InputError(f"unknown key {key!r}; allowed are: {', '.join(_FIELDS)}")
    if document.get("status", "ONLINE") not in _STATUSES:
        raise InputError(f"status is one of {', '.join(_STATUSES)}, not {document['status']!r}")
    number = str(document.get("sender_id", ""))
    try:
        return whatsapp_address(number), sender_rules.checked(document)
    except ProviderRefusal as error:
        raise InputError(error.body["message"]) from None
