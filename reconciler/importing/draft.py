"""The manifest that declares one bot created by hand, and what no manifest can declare of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.importing.tools import said_of
from reconciler.kinds.sender.desired import our_webhook
from reconciler.kinds.sender.live import called_by, normalised
from reconciler.kinds.unmanaged_bots import UnmanagedBot, bot_as_declared
from reconciler.manifest.draft import problem_with
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.readers.openai import Model
from reconciler.readers.twilio import ONLINE, LiveSender
from reconciler.settings import Settings
from runtime.store.records import BotRecord
from schemas import Client, Profile

MOST_NOTES: Final = 16
"""Maximum number of entries in a manifest's metadata."""


class NotImported(Exception):
    """No manifest can be written for this bot; the text gives the reason and the next step."""


@dataclass(frozen=True, slots=True)
class ImportedManifest:
    """A manifest before it is a file."""

    id: str
    values: Mapping[str, Any]
    """In the order in which a person would write them; the prompt is in `assistant.instructions`."""
    unsaid: tuple[str, ...]
    """What is live and not in the manifest, each in a sentence."""
    origin: str
    """The source, for a comment."""


def draft_of(
    client: str, found: UnmanagedBot, senders: AccountSenders | Failed, settings: Settings
) -> ImportedManifest:
    """The manifest of a bot. Raises `NotImported`."""
    unsaid: list[str] = []
    bot = bot_as_declared(found.bot, settings)
    values: dict[str, Any] = {"id": client, "name": _name(found.bot, unsaid)}
    if bot["state"] != "active":
        values["state"] = bot["state"]
    values["number"] = _required(("number",), bot["twilio_phone_number"], "its number")
    values["assistant"] = _assistant(found, bot, unsaid)
    sender = _sender(values["number"], senders, settings, unsaid)
    if bot["account_sid"] is not None:
        account = {"sid": bot["account_sid"], "auth_token": {"env": bot["auth_token_env"]}}
        sender["account"] = _required(("sender", "account"), account, "its Twilio account")
    if sender:
        values["sender"] = sender
    if _fits(("fallback_message",), bot["fallback_message"], "the fallback message", unsaid):
        values["fallback_message"] = bot["fallback_message"]
    if bot["protected"]:
        values["protected"] = True
    metadata = _metadata(bot["metadata"], unsaid)
    if metadata:
        values["metadata"] = metadata
    policy = dict(bot["policy"])
    fallback, where = policy.pop("fallback_model", None), ("assistant", "fallback_model")
    if fallback is not None and _fits(where, fallback, "its policy's fallback_model", unsaid):
        values["assistant"]["fallback_model"] = fallback
    values |= {key: value for key, value in policy.items() if _fits((key,), value, f"its policy's {key}", unsaid)}
    return ImportedManifest(client, values, tuple(unsaid), _origin(found))


def over_defaults(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with null for every default that this client does not have.

    Settings of the assistant that were never set are left to the defaults.
    """
    own = dict(values)
    for key, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(own.get(key, {}), Mapping):
            inner = over_defaults(own.get(key, {}), default)
            if inner:
                own[key] = inner
        elif key not in own and key not in ("reasoning_effort", "max_output_tokens"):
            own[key] = None
    order = [*Client.model_fields, *own]
    return {key: own[key] for key in dict.fromkeys(order) if key in own}


def model_warning(wanted: str, models: Mapping[str, Model] | Failed) -> str | None:
    """A warning about a model; None when the provider lists it without a shutdown date, or could not be read."""
    if isinstance(models, Failed):
        return None
    model = models.get(wanted)
    if model is None:
        return "the provider does not list this model any more: choose another"
    return f"this model is shut down on {model.shutdown_date}" if model.shutdown_date else None


def _assistant(found: UnmanagedBot, bot: Mapping[str, Any], unsaid: list[str]) -> dict[str, Any]:
    live = found.effective
    for key in ("model", "instructions"):
        if not live.get(key):
            raise NotImported(f"it has no {key}; set them with PUT /bots/{found.bot.id}, then import again")
    declared: dict[str, Any] = {} if found.engine == "responses" else {"engine": found.engine}
    name = found.own.get("name")
    if name not in (None, "", found.bot.name) and _fits(("assistant", "name"), name, "the assistant's name", unsaid):
        declared["name"] = name
    declared["model"] = _required(("assistant", "model"), live["model"], "its model")
    settings = live.get("settings", {})
    for key in ("reasoning_effort", "max_output_tokens"):
        if _fits(("assistant", key), settings.get(key), f"the setting {key}", unsaid):
            declared[key] = settings[key]
    known = ("reasoning_effort", "max_output_tokens")
    unsaid += [f"a manifest has no key for the setting {key!r}" for key in sorted(settings) if key not in known]
    declared["instructions"] = _required(("assistant", "instructions"), live["instructions"], "its instructions")
    said = said_of(live["tools"], bot["functions"])
    if said.tools:
        declared["tools"] = said.tools
    unsaid += said.unsaid
    return declared


def _sender(number: str, senders: AccountSenders | Failed, settings: Settings, unsaid: list[str]) -> dict[str, Any]:
    live = senders if isinstance(senders, Failed) else senders.by_number.get(number)
    if isinstance(live, Failed):
        raise NotImported(f"its sender could not be read: {live.message}")
    if live is None:
        unsaid.append(f"{number} is not registered as a WhatsApp sender: register it before you apply")
        return {}
    if live.status not in ONLINE:
        unsaid.append(f"its sender is {live.status}, not ONLINE")
    _say_webhook(live, settings, unsaid)
    shown = normalised(live, {})["profile"]
    profile = {
        key: shown[key]
        for key in Profile.model_fields
        if key != "name" and shown.get(key) and _fits(("sender", "profile", key), shown[key], f"profile.{key}", unsaid)
    }
    return {"profile": profile} if profile else {}


def _say_webhook(live: LiveSender, settings: Settings, unsaid: list[str]) -> None:
    """Webhooks come from the settings, so the next plan changes a sender that calls another address."""
    if settings.public_url is None:
        return
    calls, wanted = called_by(live) or "no address", our_webhook(settings)
    if calls != wanted:
        unsaid.append(f"its sender calls {calls}; the next plan points it to {wanted}")


def _name(bot: BotRecord, unsaid: list[str]) -> str:
    name = bot.name
    if problem_with(("name",), name) is not None:
        name = name[:128]
        unsaid.append("its name is too long for a manifest and was cut to 128 characters")
    return str(_required(("name",), name, "its name"))


def _metadata(live: Mapping[str, str], unsaid: list[str]) -> dict[str, str]:
    kept = {
        key: value
        for key, value in live.items()
        if _fits(("metadata",), {key: value}, f"the note {key!r} in its metadata", unsaid)
    }
    if len(kept) > MOST_NOTES:
        unsaid.append(
            f"of the {len(kept)} notes in its metadata a manifest holds {MOST_NOTES}; the others were left out"
        )
    return dict(list(kept.items())[:MOST_NOTES])


def _fits(loc: tuple[str, ...], value: Any, what: str, unsaid: list[str]) -> bool:
    """Whether a manifest can declare an optional value; when it cannot, that is noted."""
    if value is None:
        return False
    wrong = problem_with(loc, value)
    if wrong is not None:
        unsaid.append(f"{what} was left out: {wrong.rstrip('.')}")
    return wrong is None


def _required(loc: tuple[str, ...], value: Any, what: str) -> Any:
    wrong = problem_with(loc, value)
    if wrong is not None:
        raise NotImported(f"a manifest cannot declare {what}: {wrong}")
    return value


def _origin(found: UnmanagedBot) -> str:
    answers = f"the assistant {found.live_id}" if found.live_id else "the bot itself"
    return f"the bot {found.bot.id}, answered by {answers}"
