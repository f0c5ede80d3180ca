"""/v1/Sinks and /v1/Subscriptions of Event Streams: where an account's events go, and which.

A subscription needs an active sink. A sink is active as soon as it is made, or only once its test event was confirmed:
Twilio's pages say either, and the setting `sink_status` chooses. Events are sent as Twilio sends JSON: an array of
CloudEvents, signed over the URL with the body's hash in it.
"""

import json
import uuid
from datetime import UTC, datetime
from hashlib import sha256

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio.webhook_sender import Envelope, WebhookSender
from sandbox.twilio.wire import ACCOUNTS, Page, account_of, error, form_of, not_found

SINKS, SUBSCRIPTIONS = "sinks", "event_subscriptions"
TEMPLATE_EVENT = "com.twilio.messaging.template.approval.updated"
TEST_EVENT = "com.twilio.eventstreams.test-event"
KNOWN = {TEMPLATE_EVENT: 1}
"""Types that exist, with their newest schema."""


class EventStreams:
    """Handlers of both, and what sends the events."""

    def __init__(self, state: State, sender: WebhookSender) -> None:
        self._state = state
        self._sender = sender
        state.template_changed = self.template_changed

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/Sinks", self.list_sinks),
            web.post("/v1/Sinks", self.create_sink),
            web.get("/v1/Sinks/{sid}", self.get_sink),
            web.delete("/v1/Sinks/{sid}", self.delete_sink),
            web.post("/v1/Sinks/{sid}/Test", self.test),
            web.post("/v1/Sinks/{sid}/Validate", self.validate),
            web.get("/v1/Subscriptions", self.list_subscriptions),
            web.post("/v1/Subscriptions", self.subscribe),
            web.delete("/v1/Subscriptions/{sid}", self.unsubscribe),
            web.get("/v1/Subscriptions/{sid}/SubscribedEvents", self.list_types),
        ]

    async def create_sink(self, request: web.Request) -> web.Response:
        form = await _form(request)
        configuration = _object(form, "SinkConfiguration")
        if not form.get("Description") or form.get("SinkType") != "webhook":
            raise error(400, 20001, "Description, and SinkType webhook, are required")
        if not str(configuration.get("destination", "")).startswith("http") or configuration.get("method") != "POST":
            raise error(400, 20001, "SinkConfiguration needs a destination, and the method POST")
        now = self._now()
        row: Json = {
            "sid": new_id("DG"),
            "account_sid": account_of(request),
            "description": form["Description"],
            "sink_type": "webhook",
            "sink_configuration": configuration,
            "status": self._state.settings.values.sink_status,
            "date_created": now,
            "date_updated": now,
            "_test_id": "",
        }
        return answer(_shown(self._state.storage.put(SINKS, row["sid"], row)), 201)

    async def list_sinks(self, request: web.Request) -> web.Response:
        return self._listed(request, SINKS, "sinks")

    async def get_sink(self, request: web.Request) -> web.Response:
        return answer(_shown(self._found(request, SINKS)))

    async def delete_sink(self, request: web.Request) -> web.Response:
        sink = self._found(request, SINKS)
        if any(row["sink_sid"] == sink["sid"] for row in self._state.storage.values(SUBSCRIPTIONS)):
            raise error(400, 20001, "The sink has subscriptions; delete those first")
        self._state.storage.delete(SINKS, sink["sid"])
        return web.Response(status=204)

    async def test(self, request: web.Request) -> web.Response:
        """Sends a test event; the newest one counts."""
        sink = self._found(request, SINKS)
        test_id = str(uuid.uuid4())
        self._state.storage.put(SINKS, sink["sid"], {**sink, "status": "validating", "_test_id": test_id})
        self._send(sink, TEST_EVENT, "Sink", {"test_id": test_id})
        return answer({"result": "submitted"}, 201)

    async def validate(self, request: web.Request) -> web.Response:
        sink, form = self._found(request, SINKS), await _form(request)
        if not sink["_test_id"] or form.get("TestId") != sink["_test_id"]:
            raise error(400, 20001, "The TestId is not that of the last test event")
        self._state.storage.put(SINKS, sink["sid"], {**sink, "status": "active", "_test_id": ""})
        return answer({"result": "valid"}, 201)

    async def subscribe(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        sink = self._state.storage.get(SINKS, _first(form, "SinkSid"))
        if sink is None or sink["account_sid"] != account_of(request) or sink["status"] != "active":
            raise error(400, 20001, "SinkSid is not that of an active sink")
        types = [_parsed(text) for text in form.get("Types", [])]
        if not _first(form, "Description") or not types or any(one.get("type") not in KNOWN for one in types):
            raise error(400, 20001, "Description and Types, each a known type, are required")
        row: Json = {
            "sid": new_id("DF"),
            "account_sid": account_of(request),
            "description": _first(form, "Description"),
            "sink_sid": sink["sid"],
            "date_created": self._now(),
            "date_updated": self._now(),
            "_types": {str(one["type"]): int(one.get("schema_version") or KNOWN[str(one["type"])]) for one in types},
        }
        return answer(_shown(self._state.storage.put(SUBSCRIPTIONS, row["sid"], row)), 201)

    async def list_subscriptions(self, request: web.Request) -> web.Response:
        return self._listed(request, SUBSCRIPTIONS, "subscriptions", request.query.get("SinkSid"))

    async def unsubscribe(self, request: web.Request) -> web.Response:
        self._state.storage.delete(SUBSCRIPTIONS, self._found(request, SUBSCRIPTIONS)["sid"])
        return web.Response(status=204)

    async def list_types(self, request: web.Request) -> web.Response:
        row = self._found(request, SUBSCRIPTIONS)
        page = Page(request, list(row["_types"]), 50)
        account, sid = row["account_sid"], row["sid"]
        shown = [
            {"account_sid": account, "subscription_sid": sid, "type": kind, "schema_version": row["_types"][kind]}
            for kind in page.keys
        ]
        return answer({"types": shown, "meta": page.meta("types")})

    def template_changed(self, former: Json, now: Json) -> None:
        """Sends an event for each thing that Meta changed of a content, to those who are subscribed to it."""
        before, after = former["_approval"], now["_approval"]
        for kind, key in (("status_update", "status"), ("category_update", "category")):
            if before.get(key) == after.get(key):
                continue
            data = {
                "type": kind,
                "accountSid": now["account_sid"],
                "dateUpdated": self._now(),
                "channel": "whatsapp",
                "template": {
                    "sid": now["sid"],
                    "friendlyName": now["friendly_name"],
                    "externalTemplateName": after.get("name"),
                    "language": now["language"],
                    "previousValue": str(before.get(key) or "").lower(),
                    "currentValue": str(after[key]).lower(),
                },
            }
            for sink in self._subscribed(now["account_sid"], TEMPLATE_EVENT):
                self._send(sink, TEMPLATE_EVENT, f"/v1/Content/{now['sid']}", data)

    def _subscribed(self, account: str, kind: str) -> list[Json]:
        rows = self._state.storage.values(SUBSCRIPTIONS)
        sinks = {row["sink_sid"] for row in rows if row["account_sid"] == account and kind in row["_types"]}
        found = (self._state.storage.get(SINKS, sid) for sid in sinks)
        return [sink for sink in found if sink is not None and sink["status"] == "active"]

    def _send(self, sink: Json, kind: str, source: str, data: Json) -> None:
        event = {
            "specversion": "1.0",
            "type": kind,
            "source": source,
            "id": f"EZ{uuid.uuid4().hex}",
            "datacontenttype": "application/json",
            "time": self._now(),
            "data": data,
        }
        body = json.dumps([event])
        url = str(sink["sink_configuration"]["destination"])
        joint = "&" if "?" in url else "?"
        account = self._state.storage.rows(ACCOUNTS)[sink["account_sid"]]
        envelope = Envelope(
            url=f"{url}{joint}bodySHA256={sha256(body.encode()).hexdigest()}",
            method="POST",
            fields={},
            auth_token=account["auth_token"],
            message_sid="",
            purpose="event",
            token=str(event["id"]),
            body=body,
        )
        self._state.background.start(self._deliver(envelope))

    async def _deliver(self, envelope: Envelope) -> None:
        await self._sender.deliver(envelope)

    def _listed(self, request: web.Request, table: str, key: str, sink_sid: str | None = None) -> web.Response:
        rows, account = self._state.storage.rows(table), account_of(request)
        found = [
            sid
            for sid, row in rows.items()
            if row["account_sid"] == account and sink_sid in (None, row.get("sink_sid"))
        ]
        page = Page(request, found, 50)
        return answer({key: [_shown(rows[sid]) for sid in page.keys], "meta": page.meta(key)})

    def _found(self, request: web.Request, table: str) -> Json:
        row = self._state.storage.get(table, request.match_info["sid"])
        if row is None or row["account_sid"] != account_of(request):
            raise not_found(request.path)
        return row

    def _now(self) -> str:
        return datetime.fromtimestamp(self._state.settings.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(row: Json) -> Json:
    return public(row)


async def _form(request: web.Request) -> dict[str, str]:
    return {name: values[0] for name, values in (await form_of(request)).items()}


def _first(form: dict[str, list[str]], name: str) -> str:
    return next(iter(form.get(name, [])), "")


def _object(form: dict[str, str], name: str) -> Json:
    return _parsed(form.get(name, ""))


def _parsed(text: str) -> Json:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise error(400, 20001, "a parameter is not a JSON object")
    return value
