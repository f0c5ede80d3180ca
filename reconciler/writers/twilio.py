"""Writes to Twilio's WhatsApp senders, and makes contents for buttons and lists, through the twilio SDK.

Twilio: Senders API v2. An update answers 202 and echoes only what was sent, so it is done when the sender, fetched
again, shows it. The SDK's request models silently drop unknown keys, so the body is sent as we wrote it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from requests.exceptions import RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderList

from reconciler.errors import (
    BodyRefused,
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
from reconciler.kinds.sender.desired import CONFIGURATION, DETACHED, VOICE_APPLICATION
from reconciler.kinds.sender.display_name import NOT_SUBMITTED, PENDING, name_as_declared
from reconciler.kinds.sender.live import declared_part, normalised
from reconciler.kinds.sender.profile import is_made_of
from reconciler.model import FieldChange, Values
from reconciler.readers.shape import mapping, text
from reconciler.readers.twilio import CONTENT_PAGE, LiveSender
from reconciler.settings import Settings
from reconciler.writers.retry import Patience, create_once, repeat_safe
from runtime.store.client.light_http import retry_after
from schemas.addresses import whatsapp_address
from schemas.content_shapes import content_of, is_ours, name_of
from schemas.templates import meta_name

T = TypeVar("T")

REGISTRATION_LIMIT = 20249
"""Twilio's error code for it."""

SETTLE_SECONDS = 30.0
"""How long a sender may be ONLINE:UPDATING before the run leaves it to the next one."""


class TwilioWriter:
    """Updates the senders of one account, and makes contents in it. Thread-safe."""

    def __init__(self, settings: Settings, account_sid: str, auth_token: str, patience: Patience) -> None:
        self._patience = patience
        http = _HttpClient(settings.twilio_base_url, settings.timeout)
        self._senders = _NullKeepingClient(account_sid, auth_token, http_client=http).messaging.v2.channels_senders
        self._contents = Client(account_sid, auth_token, http_client=http).content.v1.contents
        self._made: dict[str, str] | None = None
        self._templates: dict[str, str] | None = None
        self._refused: dict[str, BodyRefused] = {}
        self._making = threading.Lock()

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
            body["profile"] = _merged(_without_review(profile), _labelled(profile, _submitted(profile, declared)))
        if CONFIGURATION in declared:
            body[CONFIGURATION] = declared[CONFIGURATION]
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
                call_twilio(lambda: self._senders(sid).delete())
            except NotFound:
                return

        repeat_safe(delete, self._patience)

    def put_contents(self, shapes: Collection[str]) -> Mapping[str, str]:
        """Make the shapes of buttons and lists that the account lacks; returns `HX…` of each, without those that Twilio
        does not take. Raises `BodyRefused` when it takes none.

        Clients of one account wait for each other, so that none is made or tried twice. None is submitted for approval.
        """
        with self._making:
            if self._made is None:
                self._made = self._our_contents()
            for shape in shapes:
                if name_of(shape) in self._made or name_of(shape) in self._refused:
                    continue
                try:
                    self._made[name_of(shape)] = self._create_content(shape)
                except BodyRefused as error:
                    self._refused[name_of(shape)] = error
            taken = {shape: self._made[name_of(shape)] for shape in shapes if name_of(shape) in self._made}
            if shapes and not taken:
                raise next(iter(self._refused.values()))
            return taken

    def _create_content(self, shape: str) -> str:
        request = cast("ContentList.ContentCreateRequest", _Body(content_of(shape)))
        return create_once(
            lambda: call_twilio(lambda: text(self._contents.create(request).sid)),
            lambda: self._our_contents(follows_up=True).get(name_of(shape)),
            self._patience,
        )

    def _our_contents(self, *, follows_up: bool = False) -> dict[str, str]:
        def listed() -> dict[str, str]:
            found = [item for item in self._contents.list(page_size=CONTENT_PAGE) if is_ours(item.friendly_name or "")]
            by_age = sorted(found, key=lambda item: (item.date_created, item.sid), reverse=True)
            return {str(item.friendly_name): text(item.sid) for item in by_age}

        return repeat_safe(lambda: call_twilio(listed), self._patience, follows_up=follows_up)

    def put_template(self, name: str, sid: str | None, content: Mapping[str, Any], category: str) -> str:
        """Make a template unless the account has one of this name, and submit it unless it was; returns `HX…`.

        `sid`: of one that exists. A create or a submission whose outcome is unknown is looked up first.
        """
        with self._making:
            if self._templates is None:
                self._templates = self._our_templates()
            known = self._templates
        sid = sid or known.get(name) or self._create_template(name, content)
        if self._status(sid) == "unsubmitted":
            request = ApprovalCreateList.ContentApprovalRequest({"name": meta_name(name), "category": category.upper()})
            create_once(
                lambda: call_twilio(lambda: str(self._contents(sid).approval_create.create(request).status)),
                lambda: None if (status := self._status(sid)) == "unsubmitted" else status,
                self._patience,
            )
        return sid

    def delete_template(self, sid: str) -> None:
        """Delete a template, at Meta too; one that does not exist is a success."""

        def delete() -> None:
            try:
                call_twilio(lambda: self._contents(sid).delete())
            except NotFound:
                return

        repeat_safe(delete, self._patience)

    def _create_template(self, name: str, content: Mapping[str, Any]) -> str:
        request = cast("ContentList.ContentCreateRequest", _Body({"friendly_name": name, **content}))
        return create_once(
            lambda: call_twilio(lambda: text(self._contents.create(request).sid)),
            lambda: self._our_templates(follows_up=True).get(name),
            self._patience,
        )

    def _our_templates(self, *, follows_up: bool = False) -> dict[str, str]:
        """Name → `HX…`; of two with one name the older."""

        def listed() -> dict[str, str]:
            by_age = sorted(
                self._contents.list(page_size=CONTENT_PAGE),
                key=lambda item: (item.date_created, item.sid),
                reverse=True,
            )
            return {str(item.friendly_name): text(item.sid) for item in by_age}

        return repeat_safe(lambda: call_twilio(listed), self._patience, follows_up=follows_up)

    def _status(self, sid: str) -> str:
        """Meta's; `unsubmitted` also where Twilio knows no request (404)."""

        def fetched() -> str:
            try:
                shown = call_twilio(lambda: self._contents(sid).approval_fetch().fetch().whatsapp)
            except NotFound:
                return "unsubmitted"
            return str((shown or {}).get("status") or "unsubmitted")

        return repeat_safe(fetched, self._patience, follows_up=True)

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
            return self._patience.call(lambda: call_twilio(lambda: text(self._senders.create(request).sid)))
        except UnknownOutcome:
            found = self._find(number)
            if found is None:
                raise
            return found

    def submit_code(self, sid: str, code: str) -> None:
        """Submit the code that the number's owner received; tried once, since each attempt counts."""
        body = {"configuration": {"verification_code": code}}
        request = cast("ChannelsSenderList.MessagingV2ChannelsSenderRequestsUpdate", _Body(body))
        self._patience.call(lambda: call_twilio(lambda: self._senders(sid).update(request)))

    def _find(self, number: str) -> str | None:
        def find() -> str | None:
            listed = self._senders.list(channel="whatsapp")
            return next((text(item.sid) for item in listed if item.sender_id == whatsapp_address(number)), None)

        return repeat_safe(lambda: call_twilio(find), self._patience)

    def _unchanged(self, sid: str, planned_on: Values, declared: Values) -> LiveSender:
        """The sender's current state. Raises `PermanentError` when it differs from the plan's."""
        live, _ = repeat_safe(lambda: call_twilio(lambda: self._shown(sid, declared)), self._patience)
        known = replace(
            live,
            webhook=planned_on.get("webhook"),
            profile=planned_on.get("profile"),
            voice_application=mapping(planned_on.get(CONFIGURATION)).get(VOICE_APPLICATION),
        )
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
        echo = repeat_safe(
            lambda: call_twilio(lambda: mapping(self._senders(sid).update(request).profile)), self._patience
        )
        deadline = time.monotonic() + SETTLE_SECONDS
        wait = 0.1
        while True:
            live, differing = repeat_safe(
                lambda: call_twilio(lambda: self._shown(sid, declared)), self._patience, follows_up=True
            )
            shown = _made_of_profile(live, differing, declared, former)
            if live.status != "ONLINE:UPDATING" and shown is not None:
                _check_submitted(echo, declared)
                return shown
            if time.monotonic() + wait > deadline:
                paths = ", ".join(change.path for change in differing) or "the status ONLINE:UPDATING"
                kind = PermanentError if any(not _is_of_profile(change) for change in differing) else ProfileNotTaken
                raise kind(f"Twilio accepted the update and still shows another {paths}; run again in a minute")
            # Not interrupted by a stop: an update that Twilio has accepted is to be verified and recorded.
            time.sleep(wait)
            wait = min(wait * 2, 3.0)

    def _shown(self, sid: str, declared: Values) -> tuple[LiveSender, Sequence[FieldChange]]:
        """The sender's current state, and its fields that are not as declared."""
        shown = self._senders(sid).fetch()
        live = LiveSender(
            sid,
            "",
            shown.status or "",
            mapping(shown.webhook),
            mapping(shown.profile),
            voice_application=mapping(shown.configuration).get(VOICE_APPLICATION) or None,
        )
        return live, field_changes(declared_part(live, declared, declared), declared)


class RegistrationLimit(PermanentError):
    """Meta's ten attempts in 72 hours are used up for this number."""


class _Body:
    """A request body that the SDK serialises as it is."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def to_dict(self) -> Mapping[str, Any]:
        return self._body


class _NullKeepingClient(Client):
    """Sends null where we wrote it, which is how calls are switched off; the SDK leaves such keys out."""

    def copy_non_none_values(self, data: Any) -> Any:
        """All values."""
        return data


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


def http_client(settings: Settings) -> TwilioHttpClient:
    """The SDK's connections, to Twilio or to the server that stands in for it."""
    return _HttpClient(settings.twilio_base_url, settings.timeout)


def call_twilio(call: Callable[[], T]) -> T:
    """A call of the SDK, with its errors as ours: a `ProviderError`."""
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
    if kind is PermanentError and status in (400, 422):
        return BodyRefused(text)
    return kind(text)


def _made_of_profile(
    live: LiveSender, differing: Sequence[FieldChange], declared: Values, former: Values
) -> Values | None:
    """What the profile shows in place of what was sent, by field; None while that is not settled."""
    if any(not _is_of_profile(change) for change in differing):
        return None
    before = normalised(replace(live, profile=former), {})["profile"]
    now = normalised(live, {})["profile"]
    sent = declared.get("profile", {})
    keys = {str(change.steps[1]) for change in differing}
    if not all(is_made_of(now.get(key), sent[key], before.get(key)) for key in keys):
        return None
    return {key: now.get(key) for key in sorted(keys)}


def _without_review(profile: Mapping[str, Any]) -> dict[str, Any]:
    """A live profile as it is sent back: without what Twilio adds about a name's review. While a name waits for it, the
    shown one is left out: sent along, it would be a change of name as well."""
    kept = {key: value for key, value in profile.items() if "display_name" not in key}
    return {key: value for key, value in kept.items() if key != "name" or not profile.get(PENDING)}


def _submitted(profile: Mapping[str, Any], declared: Values) -> dict[str, Any]:
    """The declared profile, without a name that is shown already or was submitted."""
    wanted: dict[str, Any] = dict(declared["profile"])
    name = wanted.get("name")
    if name is not None and profile.get("name") != name and name_as_declared(profile, name, None) == name:
        del wanted["name"]
    return wanted


def _check_submitted(echo: Mapping[str, Any], declared: Values) -> None:
    """Raises `ProfileNotTaken` where Twilio took the profile but for its name."""
    if echo.get("display_name_status") == NOT_SUBMITTED:
        name = declared.get("profile", {}).get("name")
        raise ProfileNotTaken(
            f"Twilio did not submit the display name {name!r} to Meta: a name can be changed a few times in 30 days "
            "only, and not while another one is under review; the rest of the profile is set. Try again later"
        )


def _is_of_profile(change: FieldChange) -> bool:
    return change.steps[0] == "profile"


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
