"""Links about what else the number's Twilio account decides: a Messaging Service that takes its messages, and whether
people's files can be fetched by anyone who has their address."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.doctor.link import Link
from reconciler.doctor.probe import probe
from reconciler.errors import ProviderError
from reconciler.kinds.sender.services import SERVICE_FIX, taking
from reconciler.model import AccountKey
from reconciler.readers.twilio import LiveSender, TwilioReader
from reconciler.readers.twilio_number import NumberReader
from reconciler.settings import Settings

REFUSED = (401, 403)
"""Twilio's answers without credentials, where "Enforce HTTP Auth on Media URLs" is on."""


def examine_number(sender: LiveSender, account: AccountKey, settings: Settings) -> Iterator[Link]:
    """What the account decides of the number; nothing where its credentials are not set here."""
    token = settings.secret(account.token_env)
    if account.sid is None or token is None:
        return
    yield from _services(TwilioReader(settings, account.sid, token), sender)
    yield from _media(NumberReader(settings, account.sid, token), sender)


def _services(reader: TwilioReader, sender: LiveSender) -> Iterator[Link]:
    try:
        found = [service for service in reader.services() if sender.sid in service.senders]
    except ProviderError as error:
        yield Link("service", None, f"Twilio's Messaging Services could not be read: {error}")
        return
    for service in found:
        if service.uses_sender_webhook:
            yield Link("service", True, f"it is in the Messaging Service {service.sid}, which leaves its webhook alone")
            continue
        fix = f"{SERVICE_FIX[0].upper()}{SERVICE_FIX[1:]}."
        yield Link("service", False, f"it is in the {taking(service)}", fix)


def _media(reader: NumberReader, sender: LiveSender) -> Iterator[Link]:
    try:
        url = reader.newest_file(sender.number)
    except ProviderError as error:
        yield Link("files", None, f"Twilio's messages could not be read: {error}")
        return
    if url is None:
        return
    answer = probe("GET", url)
    if answer.status in REFUSED:
        yield Link("files", True, f"what people send is refused without credentials ({answer.status})")
    elif answer.status is None:
        yield Link("files", None, f"a file could not be asked for: {answer.said}")
    else:
        fix = 'In Twilio\'s console, Messaging, Settings, General: switch on "Enforce HTTP Auth on Media URLs".'
        says = f"anyone who has its address can fetch what people send: without credentials {answer.said}"
        yield Link("files", False, says, fix)
