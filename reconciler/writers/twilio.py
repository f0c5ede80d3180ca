"""Writes to Twilio's WhatsApp senders, through the twilio SDK.

Twilio: Senders API v2. An update answers 202 and echoes only what was sent, so it is done when the sender, fetched
again, shows it. The SDK's request models silently drop unknown keys, so the body is sent as we wrote it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from requests.exceptions import RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderList

from reconciler.errors import (
    KeyRefused,
    NotFound,
    PermanentError,
    ProfileNotTaken,
    ProviderError,
    TemporaryError,
    UnknownOutcome,
    error_of_status,
)
from reconciler.kinds.diff import field_changes
from reconciler.kinds.sender.desired import DETACHED
from reconciler.kinds.sender.live import declared_part, normalised
from reconciler.kinds.sender.profile import is_made_of
from reconciler.model import FieldChange, Values
from reconciler.readers.shape import mapping, text
from reconciler.readers.twilio import LiveSender
from reconciler.settings import Settings
from reconciler.writers.retry import Patience, repeat_safe
from runtime.store.client.light_http import retry_after
from schemas.addresses import whatsapp_address

T = TypeVar("T")

REGISTRATION_LIMIT = 20249
"""Twilio's error code for it."""

SETTLE_SECONDS = 30.0
"""How long a sender may be ONLINE:UPDATING before the run leaves it to the next one."""


class TwilioWriter:
    """Updates the senders of one account. Thread-safe."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str, patience: Patience) -> None:
        self._patience = patience
        http = _HttpClient(settings.twilio_base_url, settings.timeout)
        self._senders = Client(account_sid, auth_token, http_client=http).messaging.v2.channels_senders

    def update_sender(self, sid: str, planned_on: Values, declared: Values) -> Values:
        """Set the declared fields and keep the others as they are now: webhook and profile are sent complete, merged.

        `planned_on`: the sender as the plan read it. Returns what Twilio shows of the declared profile where it made
        another text of it, by field. Raises `PermanentError` when a declared field is neither as planned nor as
        declared: it was changed since, and no plan shows that; `ProfileNotTaken` when Twilio took the webhook only.
        """
        live = self._unchanged(sid, planned_on, declared)
        webhook, profile = live.webhook or {}, live.profile or {}
        body: dict[str, Any] = {"webhook": _merged(webhook, declared["webhook"])}
        if "profile" in declared:
            body["profile"] = _merged(profile, _labelled(profile, declared["profile"]))
        return self._update(sid, body, declared, profile)

    def detach_sender(self, sid: str, planned_on: Values) -> None:
        """Clear the webhook, so that no message arrives any more; the sender stays registered.

        Raises `PermanentError` when it was changed to another address since the plan.
        """
        declared = {"webhook": DETACHED}
        live = self._unchanged(sid, planned_on, declared)
        self._update(sid, {"webhook": _merged(live.webhook or {}, DETACHED)}, declared, {})

    def delete_sender(self, sid: str) -> None:
        """Delete the sender; one that does not exist is a success. Registering the number again needs a new code."""

        def delete() -> None:
            try:
                _call(lambda: self._senders(sid).delete())
            except NotFound:
                return

        repeat_safe(delete, self._patience)

    def create_sender(self, number: str, name: str, client: str, method: str) -> str:
        """Register a number, which sends its owner a code, and return the sender's sid.

        Meta allows ten attempts in 72 hours, so this is tried once: after an unknown outcome the sender is searched
        for. Raises `RegistrationLimit` when the attempts are used up.
        """
        body = {
            "sender_id": whatsapp_address(number),
            "friendly_name": client,
            "profile": {"name": name},
            "configuration": {"verification_method": method},
        }
        request = cast("ChannelsSenderList.MessagingV2ChannelsSenderRequestsCreate", _Body(body))
        try:
            return self._patience.call(lambda: _call(lambda: text(self._senders.create(request).sid)))
        except UnknownOutcome:
            found = self._find(number)
            if found is None:
                raise
            return found

    def submit_code(self, sid: str, code: str) -> None:
        """Submit the code that the number's owner received; tried once, since each attempt counts."""
        body = {"configuration": {"verification_code": code}}
        request = cast("ChannelsSenderList.MessagingV2ChannelsSenderRequestsUpdate", _Body(body))
        self._patience.call(lambda: _call(lambda: self._senders(sid).update(request)))

    def _find(self, number: str) -> str | None:
        def find() -> str | None:
            listed = self._senders.list(channel="whatsapp")
            return next((text(item.sid) for item in listed if item.sender_id == whatsapp_address(number)), None)

        return repeat_safe(lambda: _call(find), self._patience)

    def _unchanged(self, sid: str, planned_on: Values, declared: Values) -> LiveSender:
        """The sender's current state. Raises `PermanentError` when it differs from the plan's."""
        live, _ = repeat_safe(lambda: _call(lambda: self._shown(sid, declared)), self._patience)
        known = replace(live, webhook=planned_on.get("webhook"), profile=planned_on.get("profile"))
        then, now = (declared_part(seen, declared, declared) for seen in (known, live))
        changed = [
            f"{part}.{key}"
            for part, values in declared.items()
            for key, value in values.items()
            if now[part][key] not in (then[part][key], value)
        ]
        if changed:
            raise PermanentError(f"{', '.join(changed)} changed since the plan was made; review a new plan first")
        return live

    def _update(self, sid: str, body: Mapping[str, Any], declared: Values, former: Values) -> Values:
        """Send it, and wait until Twilio shows it. `former`: the profile before."""
        request = cast("ChannelsSenderList.MessagingV2ChannelsSenderRequestsUpdate", _Body(body))
        repeat_safe(lambda: _call(lambda: self._senders(sid).update(request)), self._patience)
        deadline = time.monotonic() + SETTLE_SECONDS
        wait = 0.1
        while True:
            live, differing = repeat_safe(
                lambda: _call(lambda: self._shown(sid, declared)), self._patience, follows_up=True
            )
            shown = _made_of_profile(live, differing, declared, former)
            if live.status != "ONLINE:UPDATING" and shown is not None:
                return shown
            if time.monotonic() + wait > deadline:
                paths = ", ".join(change.path for change in differing) or "the status ONLINE:UPDATING"
                kind = PermanentError if any(_is_of_webhook(change) for change in differing) else ProfileNotTaken
                raise kind(f"Twilio accepted the update and still shows another {paths}; run again in a minute")
            # Not interrupted by a stop: an update that Twilio has accepted is to be verified and recorded.
            time.sleep(wait)
            wait = min(wait * 2, 3.0)

    def _shown(self, sid: str, declared: Values) -> tuple[LiveSender, Sequence[FieldChange]]:
        """The sender's current state, and its fields that are not as declared."""
        shown = self._senders(sid).fetch()
        live = LiveSender(sid, "", shown.status or "", mapping(shown.webhook), mapping(shown.profile))
        return live, field_changes(declared_part(live, declared, declared), declared)


class RegistrationLimit(PermanentError):
    """Meta's ten attempts in 72 hours are used up for this number."""


class _Body:
    """A request body that the SDK serialises as it is."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def to_dict(self) -> Mapping[str, Any]:
        return self._body


class _HttpClient(TwilioHttpClient):
    """Reaches every Twilio host at `base_url` when one is set, path unchanged, and gives up after `timeout` seconds."""

    def __init__(self, base_url: str | None, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        if self._base_url:
            parts = urlsplit(url)
            url = f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        response = super().request(method, url, *args, **kwargs)
        if response.status_code == 429:
            wait = (response.headers or {}).get("Retry-After")
            raise TemporaryError("Twilio answered 429: too many requests", retry_after(wait))
        return response


def _call(call: Callable[[], T]) -> T:
    try:
        return call()
    except RequestException as error:
        raise UnknownOutcome(f"Twilio did not answer ({type(error).__name__}); run again") from error
    except TwilioRestException as error:
        raise _failure(error.status, error.code, error.msg) from error
    except TwilioException as error:
        raise PermanentError(f"Twilio's answer could not be used: {str(error.args[0])[:200]}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownOutcome(f"Twilio's answer cannot be parsed ({type(error).__name__}); run again") from error


def _failure(status: int, code: int | None, message: str) -> ProviderError:
    text = f"Twilio answered {status}" + (f", error {code}" if code else "") + f": {message[:200]}"
    kind = error_of_status(status)
    if kind is UnknownOutcome:
        return UnknownOutcome(f"{text}; run again when Twilio works")
    if code == REGISTRATION_LIMIT:
        return RegistrationLimit(text)
    if kind is KeyRefused:
        return KeyRefused(f"{text}; set TWILIO_ACCOUNT_SID and the auth token to a pair that belongs together")
    return kind(text)


def _made_of_profile(
    live: LiveSender, differing: Sequence[FieldChange], declared: Values, former: Values
) -> Values | None:
    """What the profile shows in place of what was sent, by field; None while that is not settled."""
    if any(_is_of_webhook(change) for change in differing):
        return None
    before = normalised(replace(live, profile=former), {})["profile"]
    now = normalised(live, {})["profile"]
    sent = declared.get("profile", {})
    keys = {str(change.steps[1]) for change in differing}
    if not all(is_made_of(now.get(key), sent[key], before.get(key)) for key in keys):
        return None
    return {key: now.get(key) for key in sorted(keys)}


def _is_of_webhook(change: FieldChange) -> bool:
    return change.steps[0] == "webhook"


def _merged(live: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in live.items() if value is not None} | dict(declared)


def _labelled(live: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """The declared profile in Twilio's shape: addresses get a label, the one they have where they have one."""
    shaped = dict(declared)
    for several, one, label in (("emails", "email", "Email"), ("websites", "website", "Website")):
        if several in declared:
            labels = {item[one]: item.get("label") for item in live.get(several) or ()}
            shaped[several] = [{one: value, "label": labels.get(value) or label} for value in declared[several]]
    return shaped
