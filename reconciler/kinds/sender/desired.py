"""What a manifest and the settings declare of a sender: its webhook, and its profile."""

from __future__ import annotations

from typing import Any, Final

from reconciler.manifest import Manifest
from reconciler.settings import Settings
from schemas.overrides import with_overrides

WEBHOOK_PATH: Final = "/webhook/whatsapp"
STATUS_PATH: Final = "/webhook/whatsapp/status"
CONFIGURATION: Final = "configuration"
VOICE_APPLICATION: Final = "voice_application_sid"
"""Twilio: with it people may call the number, and without it they may not."""
DETACHED: Final = {"callback_url": "", "fallback_url": "", "status_callback_url": ""}
"""The webhook of a detached sender."""


def values(manifest: Manifest, settings: Settings) -> dict[str, Any]:
    """The sender; its profile and its calls only where they are declared."""
    sender = manifest.client.sender
    declared = {key: value for key, value in sender.profile if value is not None}
    for several in ("emails", "websites"):
        if several in declared:
            declared[several] = sorted(declared[several])
    return {
        "webhook": webhook_values(settings),
        **({"profile": declared} if declared else {}),
        **({CONFIGURATION: {VOICE_APPLICATION: sender.calling or None}} if sender.calling is not None else {}),
    }


def webhook_values(settings: Settings) -> dict[str, str]:
    """The webhook of every sender. Twilio calls the fallback with the same message when the first call failed.

    Each URL has connection overrides. Without them a 503 from the runtime, which asks for another try, would get none,
    and a status callback has no fallback.
    """
    fallback = settings.fallback_url or settings.public_url
    overrides = settings.connection_overrides
    return {
        "callback_url": with_overrides(f"{settings.public_url}{WEBHOOK_PATH}", overrides),
        "callback_method": "POST",
        "fallback_url": with_overrides(f"{fallback}{WEBHOOK_PATH}", overrides),
        "fallback_method": "POST",
        "status_callback_url": with_overrides(f"{settings.public_url}{STATUS_PATH}", overrides),
        "status_callback_method": "POST",
    }


def our_webhook(settings: Settings) -> str:
    """The URL that every managed sender is to call, to be compared with `live.called_by`."""
    return f"{settings.public_url}{WEBHOOK_PATH}"
