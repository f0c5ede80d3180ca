"""`reconcile verify ID`: make a client's number a WhatsApp sender, from whatever status it is in. Never deletes one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.planning import load_fleet, say_store_is_missing
from reconciler.errors import Exit, ProviderError, ReadFailed, ReconcileError, Refused, UnknownOutcome
from reconciler.manifest import Manifest
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of
from reconciler.observation.sources import open_twilio, store_exists, twilio_advice
from reconciler.readers.twilio import ONLINE, LiveSender, TwilioReader
from reconciler.sender_registration import ON_ITS_WAY, Attempts, attempts_of, now
from reconciler.settings import Settings
from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import StoreError

if TYPE_CHECKING:
    from reconciler.writers.twilio import TwilioWriter

SETTLE_SECONDS = 60.0
"""How long a transient status is waited for."""
LEAVE_SECONDS = 5.0
"""How long it may take until an accepted code changes the status."""


@dataclass(slots=True)
class Registration:
    """A client's number, and everything to register it with."""

    manifest: Manifest
    settings: Settings
    account: AccountKey
    reader: TwilioReader
    store: StoreWriter
    attempts: Attempts
    """The attempts that count now, the ones of this run included."""
    has_tried: bool = False
    """Whether one of them was made in this run."""

    @property
    def number(self) -> str:
        """The declared number."""
        return self.manifest.client.number

    def count_attempt(self) -> None:
        """Record one more before it is made. Raises `Refused` when none is left."""
        self.attempts = self.attempts.count(self.store, now())
        self.has_tried = True


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--code", metavar="CODE", help="The code that the number was sent.")
@click.option(
    "--method", type=click.Choice(["sms", "voice"]), default="sms", show_default=True, help="How the code is sent."
)
@click.pass_context
def verify(ctx: click.Context, client: str, code: str | None, method: str) -> None:
    """Register a client's number as a WhatsApp sender, and complete it with the code that its owner was sent.

    Continues from any status of the sender. Exit 2 while the code is awaited; 3 when Meta's ten attempts in 72
    hours are used up.
    """
    if code is not None and not (code.isascii() and code.isdecimal()):
        raise click.UsageError("--code takes the digits that the number was sent.")
    settings, fleet = load_fleet((client,), only_valid=True)
    manifest = next(manifest for manifest in fleet.clients if manifest.client.id == client)
    with _opened(manifest, settings) as registration:
        live = _find(registration)
        if live is None:
            live = _register(registration, method)
        live = _settled(registration, live)
        if live.status == "PENDING_VERIFICATION" and code is not None:
            _submit(registration, live, code)
            live = _settled(registration, live, after="PENDING_VERIFICATION")
    ctx.exit(_result(client, live, method))


@contextmanager
def _opened(manifest: Manifest, settings: Settings) -> Iterator[Registration]:
    """Under the lease, so that two people cannot use up the attempts side by side."""
    from reconciler.applying.lease import lease
    from runtime.store.client.writer import open_writer

    account = account_of(manifest, settings)
    try:
        reader = open_twilio(settings, account)
        if not store_exists(settings):
            say_store_is_missing(settings)
        with (
            closing(open_writer(settings.bot_store_url, settings.api_token)) as store,
            lease(store, stop=threading.Event()),
        ):
            snapshot = read_snapshot(settings.bot_store_url, settings.api_token, settings.timeout)
            attempts = attempts_of(manifest.client.number, snapshot, now())
            with _stopped_in_words(registration := Registration(manifest, settings, account, reader, store, attempts)):
                yield registration
    except ProviderError as error:
        raise ReadFailed(f"{error}. {twilio_advice(error)}") from error
    except StoreError as error:
        raise ReconcileError(str(error)) from error


@contextmanager
def _stopped_in_words(registration: Registration) -> Iterator[None]:
    """Reports at Ctrl-C that something may have been changed, once that is so."""
    try:
        yield
    except KeyboardInterrupt:
        if not registration.has_tried:
            raise
        client = registration.manifest.client.id
        raise ReconcileError(
            f"Stopped; the attempt in progress is counted, and Twilio may have it. `reconcile verify {client}` "
            "checks the status and continues from there."
        ) from None


def _find(registration: Registration) -> LiveSender | None:
    listed = registration.reader.senders()
    live = next((item for item in listed if item.number == registration.number), None)
    return registration.reader.sender(live.sid) if live else None


def _register(registration: Registration, method: str) -> LiveSender:
    from reconciler.writers.twilio import RegistrationLimit

    client = registration.manifest.client
    name = client.sender.profile.name or client.name
    registration.count_attempt()
    try:
        sid = _writer(registration).create_sender(client.number, name, client.id, method)
    except RegistrationLimit as error:
        raise Refused(_used_up(registration, error)) from error
    except ProviderError as error:
        raise ReconcileError(f"{client.id}: {error}.") from error
    click.echo(f"{client.number} is being registered as {name}.", err=True)
    return registration.reader.sender(sid)


def _submit(registration: Registration, live: LiveSender, code: str) -> None:
    from reconciler.writers.twilio import RegistrationLimit

    registration.count_attempt()
    try:
        _writer(registration).submit_code(live.sid, code)
    except RegistrationLimit as error:
        raise Refused(_used_up(registration, error)) from error
    except UnknownOutcome as error:
        # The status, read next, shows whether the code arrived; sending it again would count again.
        click.echo(f"{error}; checking the status instead.", err=True)
    except ProviderError as error:
        raise ReconcileError(f"{registration.manifest.client.id}: {error}.") from error


def _settled(registration: Registration, live: LiveSender, after: str = "") -> LiveSender:
    """The sender once its status is a lasting one; `after` is one that it is about to leave."""
    begun, wait = time.monotonic(), 0.1
    while live.status in ON_ITS_WAY or live.status == after:
        if time.monotonic() - begun > (LEAVE_SECONDS if live.status == after else SETTLE_SECONDS):
            return live
        time.sleep(wait)
        wait = min(wait * 2, 3.0)
        live = registration.reader.sender(live.sid)
    return live


def _used_up(registration: Registration, error: Exception) -> str:
    oldest = f" since {registration.attempts.at[0]:%Y-%m-%d %H:%M} UTC" if registration.attempts.at else ""
    return (
        f"{registration.manifest.client.id}: {error}. {len(registration.attempts.at)} attempts by this tool "
        f"count{oldest}; others were made elsewhere. Try again when 72 hours have passed since the first of them."
    )


def _result(client: str, live: LiveSender, method: str) -> Exit:
    if live.status in ONLINE:
        click.echo(f"{live.number} is {live.status}. `reconcile --client {client}` attaches it.")
        return Exit.OK
    if live.status == "PENDING_VERIFICATION":
        sent = "a call" if method == "voice" else "an SMS"
        click.echo(f"{live.number} awaits its code, which {sent} brings: `reconcile verify {client} --code CODE`.")
        return Exit.CHANGES
    if live.status in ON_ITS_WAY or live.status == "TWILIO_REVIEW":
        click.echo(f"{live.number} is {live.status}, which can take minutes: `reconcile verify {client}` checks again.")
        return Exit.CHANGES
    reasons = f" ({'; '.join(live.offline_reasons)})" if live.offline_reasons else ""
    raise ReconcileError(
        f"{client}: the sender {live.number} is {live.status}{reasons}; see it in Twilio's console (Messaging, "
        "Senders, WhatsApp senders)."
    )


def _writer(registration: Registration) -> TwilioWriter:
    from reconciler.writers.rate_limit import RateLimit
    from reconciler.writers.retry import Patience
    from reconciler.writers.twilio import TwilioWriter

    settings, account = registration.settings, registration.account
    token = settings.secret(account.token_env)
    if account.sid is None or token is None:
        raise ReconcileError(f"{account.token_env}, the auth token of {account.describe()}, is not set.")
    return TwilioWriter(settings, account.sid, token, Patience(RateLimit(1), threading.Event()))
