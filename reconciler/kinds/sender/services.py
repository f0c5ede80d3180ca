"""Messaging Services that take a sender's messages: Twilio calls their address, and not the sender's webhook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.model import Finding
from reconciler.observation.live_state import Failed, LiveState
from reconciler.readers.twilio import LiveSender, MessagingService

SERVICE_FIX: Final = (
    "in Twilio's console (Messaging, Services) take the sender out of it, or let it defer to the sender's webhook"
)


def service_findings(context: ClientContext, live: LiveSender) -> Iterator[Finding]:
    """The services that take a client's messages. No apply changes them: they may be another program's."""
    services = context.live_state.services.get(context.account, ())
    if isinstance(services, Failed):
        return
    for service in services:
        if live.sid in service.senders and not service.uses_sender_webhook:
            message = f"the sender {live.number} is in the {taking(service)}; {SERVICE_FIX}"
            yield Finding("warning", message, context.id, "sender", is_drift=True)


def taking(service: MessagingService) -> str:
    """What a service does with its senders' messages."""
    calls = f"calls {service.inbound_url}" if service.inbound_url else "calls nothing"
    return f"Messaging Service {service.sid}, which {calls} in place of the sender's webhook"


def unread_services(live_state: LiveState) -> Iterator[Unread]:
    """Accounts of which only the services could not be read, as with a key that may not. A server without them has
    none."""
    for account, read in live_state.services.items():
        is_account_read = not isinstance(live_state.senders.get(account), Failed)
        if isinstance(read, Failed) and not read.gone and is_account_read:
            yield Unread(f"{account.describe()}: Messaging Services", read, "warning", holds_up=False)
