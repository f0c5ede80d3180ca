"""Makes and deletes an account's sink of events and its subscription, through the twilio SDK (Event Streams v1).

Each step looks first, so a run that was killed anywhere is completed by the next one. A sink that is not active when it
is made is sent a test event, which the runtime confirms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twilio.rest import Client

from reconciler.errors import NotFound, PermanentError
from reconciler.event_streams import ACTIVE, DESCRIPTION, SCHEMA_VERSION, TYPE
from reconciler.readers.shape import text
from reconciler.settings import Settings
from reconciler.writers.retry import Patience, create_once, repeat_safe
from reconciler.writers.twilio import call_twilio, http_client

ACTIVE_SECONDS: Final = 20.0
"""How long the runtime may take to confirm a test event."""
LOOK_SECONDS: Final = 0.5


class EventStreamsWriter:
    """Writes in one account."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str, patience: Patience) -> None:
        self._patience = patience
        self._events = Client(account_sid, auth_token, http_client=http_client(settings)).events.v1

    def put(self, destination: str, former: str | None) -> str:
        """Makes what is missing for a webhook to get the events; returns its sink's `DG…`. `former`: the sink of ours
        that is deleted once there is another one."""
        sid = self._sink(destination) or create_once(
            lambda: call_twilio(lambda: self._create_sink(destination)),
            lambda: self._sink(destination, follows_up=True),
            self._patience,
        )
        self._activate(sid)
        if not self._is_subscribed(sid):
            create_once(
                lambda: call_twilio(lambda: self._subscribe(sid)),
                lambda: sid if self._is_subscribed(sid, follows_up=True) else None,
                self._patience,
            )
        if former not in (None, sid):
            self.remove(str(former))
        return sid

    def remove(self, sid: str) -> None:
        """Deletes a sink with its subscriptions; what does not exist is a success."""
        for subscription in self._subscriptions(sid):
            self._delete(self._events.subscriptions(subscription).delete)
        self._delete(self._events.sinks(sid).delete)

    def _sink(self, destination: str, *, follows_up: bool = False) -> str | None:
        """The sink with that address, one that has the subscription first, then the oldest."""

        def listed() -> list[str]:
            sinks = [one for one in self._events.sinks.list() if one.sink_type == "webhook"]
            return sorted(text(one.sid) for one in sinks if _destination(one) == destination)

        found = repeat_safe(lambda: call_twilio(listed), self._patience, follows_up=follows_up)
        if len(found) > 1:
            found.sort(key=lambda sid: (not self._is_subscribed(sid), sid))
        return found[0] if found else None

    def _create_sink(self, destination: str) -> str:
        configuration: dict[str, object] = {"destination": destination, "method": "POST", "batch_events": False}
        made = self._events.sinks.create(description=DESCRIPTION, sink_configuration=configuration, sink_type="webhook")
        return text(made.sid)

    def _activate(self, sid: str) -> None:
        """Has an inactive sink tested. Raises PermanentError where the runtime does not confirm the test event."""
        if self._status(sid) == ACTIVE:
            return
        self._patience.call(lambda: call_twilio(lambda: self._events.sinks(sid).sink_test.create()), follows_up=True)
        deadline = time.monotonic() + ACTIVE_SECONDS
        while (status := self._status(sid)) != ACTIVE:
            if time.monotonic() >= deadline or self._patience.stop.wait(LOOK_SECONDS):
                raise PermanentError(
                    f"Twilio's sink of events {sid} is {status}: the runtime has not confirmed its test event. It must "
                    "run at PUBLIC_URL with this account's auth token; then run again"
                )

    def _status(self, sid: str) -> str:
        fetch = self._events.sinks(sid).fetch
        return repeat_safe(lambda: call_twilio(lambda: str(fetch().status)), self._patience, follows_up=True)

    def _subscriptions(self, sid: str, *, follows_up: bool = False) -> list[str]:
        def listed() -> list[str]:
            found = self._events.subscriptions.list(sink_sid=sid)
            return [text(one.sid) for one in found if one.sink_sid == sid]

        return repeat_safe(lambda: call_twilio(listed), self._patience, follows_up=follows_up)

    def _is_subscribed(self, sid: str, *, follows_up: bool = False) -> bool:
        def has_type(subscription: str) -> bool:
            listed = self._events.subscriptions(subscription).subscribed_events.list
            kinds = call_twilio(lambda: [one.type for one in listed()])
            return TYPE in kinds

        found = self._subscriptions(sid, follows_up=follows_up)
        return any(repeat_safe(partial(has_type, one), self._patience, follows_up=follows_up) for one in found)

    def _subscribe(self, sid: str) -> str:
        types: list[object] = [{"type": TYPE, "schema_version": SCHEMA_VERSION}]
        return text(self._events.subscriptions.create(description=DESCRIPTION, sink_sid=sid, types=types).sid)

    def _delete(self, delete: Callable[[], bool]) -> None:
        def deleted() -> None:
            try:
                call_twilio(delete)
            except NotFound:
                return

        repeat_safe(deleted, self._patience)


def _destination(sink: Any) -> str:
    return str((sink.sink_configuration or {}).get("destination") or "")
