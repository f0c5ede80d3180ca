"""Composes the service, starts it and stops it. Nothing is decided here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from aiohttp.log import server_logger

from runtime.api.assistants import Assistants
from runtime.api.auth import bearer_auth
from runtime.api.bots import Bots
from runtime.api.client_secrets import ClientSecrets, MissingSecret
from runtime.api.dead_letters import DeadLetters
from runtime.api.errors import guard
from runtime.api.expectations import with_expectations
from runtime.api.health import Health, LetIn, missing_settings
from runtime.api.messages import Messages
from runtime.api.metrics import MetricsPage
from runtime.api.openapi import openapi_endpoint
from runtime.api.reconcile import Reconcile
from runtime.api.users import Users
from runtime.catalog import Catalog, open_catalog
from runtime.delivery.delivery import Delivery
from runtime.delivery.interrupted_proactive import InterruptedProactive
from runtime.delivery.proactive import Proactive
from runtime.delivery.reply_window import ReplyWindows
from runtime.dispatch.inbox import Inbox, open_inbox
from runtime.dispatch.postponed_sends import PostponedSends
from runtime.dispatch.timers import Timers
from runtime.engines.functions import Functions
from runtime.engines.live_assistants import LiveAssistants
from runtime.engines.selection import Engines
from runtime.inbound.admission import Admission
from runtime.inbound.connections import IDLE_SECONDS, READ_BYTES, BoundedSite, Connections
from runtime.inbound.missed_messages import Sweep
from runtime.inbound.restored import Restored
from runtime.inbound.unsigned import Unsigned
from runtime.inbound.webhook import Webhooks
from runtime.observability.metrics import Metrics
from runtime.privacy.erasure import Erasure
from runtime.privacy.twilio_messages import TwilioCopies
from runtime.resilience.breakers import Breakers
from runtime.resilience.poison import Suspects
from runtime.settings import Secrets, Settings, SettingsError
from runtime.store.database.database import Database, open_database
from runtime.store.database.url import is_sqlite
from runtime.turns.ownership import OwnedTurns
from runtime.turns.prepare import Preparer
from runtime.turns.turn import Turns
from runtime.twilio.accounts import Accounts
from runtime.twilio.client import Twilio

MAX_BODY_BYTES = 1024 * 1024
BACKLOG = 1024
WEBHOOK_PATH = "/webhook/whatsapp"
STATUS_PATH = f"{WEBHOOK_PATH}/status"

log = structlog.get_logger("runtime")


@dataclass(frozen=True, slots=True)
class Address:
    """The address that the service listens on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Service:
    """The running service: a context manager that starts it and stops it."""

    def __init__(self, settings: Settings, host: str, port: int, preparers: Sequence[Preparer] = ()) -> None:
        """`preparers` make parts of messages readable for engines, each in turn."""
        self._settings = settings
        self._preparers = preparers
        self._host = host
        self._port = port
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Address:
        """Starts the parts in the order of their dependencies; what was started is stopped when a later part fails."""
        try:
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        """Stops in the reverse order: no longer ready, no new turns, then no new requests (stored until then), then the
        store."""
        await self._stack.aclose()

    async def _start(self) -> Address:
        settings, stack = self._settings, self._stack
        base = await _opened(settings, stack)
        self._in_background(base.catalog.watch())
        listener = _listening_socket(self._host, self._port)
        stack.callback(listener.close)
        address = Address(*listener.getsockname()[:2])
        public_url = settings.public_url or address.url
        way_out = _way_out(base, stack, public_url + STATUS_PATH)
        inbox = _inbox(base, stack, way_out, self._preparers)
        admission = Admission(settings, base.database, inbox, way_out.delivery)
        stack.push_async_callback(admission.stop)
        let_in = bearer_auth(base.database, settings.api_token)
        client_secrets = ClientSecrets(base.database, base.secrets)
        health = Health(settings, base.database, client_secrets, let_in)
        timers = Timers(base.database, base.metrics)
        connections, unsigned = Connections(base.metrics), Unsigned(base.metrics)
        server_logger.addFilter(unsigned)
        stack.callback(server_logger.removeFilter, unsigned)
        app = _web_application(base, way_out, admission, timers, health, connections, unsigned, let_in, public_url)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=settings.reply_within_seconds + 1,
            keepalive_timeout=IDLE_SECONDS,
            read_bufsize=READ_BYTES,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(inbox.stop, settings.stop_grace_seconds)
        # What an earlier process left is read before this process adds to it.
        await inbox.start()
        abandoned = InterruptedProactive(base.database, way_out.twilio, base.accounts, base.catalog)
        self._in_background(abandoned.watch(alone=is_sqlite(settings.database_url)))
        await BoundedSite(runner, listener, connections, BACKLOG).start()
        PostponedSends(base.database, base.catalog, inbox, way_out.delivery, base.metrics).begin(timers)
        await self._start_timers(timers, base, _sweep(base, way_out, admission, public_url))
        stack.callback(health.stop)
        _say_what_is_missing(settings, public_url, await client_secrets.missing())
        log.info("serving", address=address.url, public_url=public_url)
        return address

    async def _start_timers(self, timers: Timers, base: _Base, sweep: Sweep) -> None:
        """Begins or ends the sweep, and runs due timers."""
        if base.settings.sweep_seconds:
            await sweep.begin(timers)
        else:
            await sweep.never(timers)
        self._in_background(timers.run())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a task beside the service and cancels it at the end."""
        task = asyncio.create_task(work)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(stop)


@asynccontextmanager
async def proactive_sender(settings: Settings) -> AsyncIterator[Proactive]:
    """The parts that send a proactive message from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        # Without a public URL there is no service that could receive the callback.
        status_url = settings.public_url + STATUS_PATH if settings.public_url else None
        yield _proactive(base, _way_out(base, stack, status_url))


@asynccontextmanager
async def forgetting(settings: Settings) -> AsyncIterator[Erasure]:
    """The parts that erase users from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        yield _forgetting(await _opened(settings, stack, serving=False))


@asynccontextmanager
async def restoring(settings: Settings) -> AsyncIterator[Restored]:
    """The parts that settle a restored store from the command line, while no service is running."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        if settings.public_url is None:
            raise SettingsError("PUBLIC_URL is not set; only messages whose webhook goes there are settled.")
        way_out = _way_out(base, stack, None)
        admission = Admission(settings, base.database, _inbox(base, stack, way_out, ()), way_out.delivery)
        yield Restored(_sweep(base, way_out, admission, settings.public_url))


@dataclass(frozen=True, slots=True)
class _Base:
    """The parts that everything else depends on, once per process."""

    settings: Settings
    database: Database
    catalog: Catalog
    secrets: Secrets
    accounts: Accounts
    metrics: Metrics
    breakers: Breakers


@dataclass(frozen=True, slots=True)
class _WayOut:
    """The delivery of messages, and what turns share with it: waiting webhooks, and slots for suspected poison."""

    twilio: Twilio
    windows: ReplyWindows
    suspects: Suspects
    delivery: Delivery


async def _opened(settings: Settings, stack: AsyncExitStack, *, serving: bool = True) -> _Base:
    database = await open_database(settings.database_url, serving=serving)
    stack.push_async_callback(database.close)
    catalog = await open_catalog(database)
    secrets, metrics = Secrets(), Metrics()
    breakers = Breakers(settings.breaker_seconds, metrics)
    return _Base(settings, database, catalog, secrets, Accounts(settings, secrets), metrics, breakers)


def _way_out(base: _Base, stack: AsyncExitStack, status_url: str | None) -> _WayOut:
    settings = base.settings
    twilio = Twilio(settings.twilio_base_url, base.metrics, base.breakers, settings.turn_deadline_seconds)
    stack.push_async_callback(twilio.close)
    windows, suspects = ReplyWindows(), Suspects()
    delivery = Delivery(
        base.database,
        twilio,
        base.accounts,
        base.catalog,
        windows,
        suspects,
        base.metrics,
        status_url,
        settings.webhook_connection_overrides,
    )
    return _WayOut(twilio, windows, suspects, delivery)


def _inbox(base: _Base, stack: AsyncExitStack, way_out: _WayOut, preparers: Sequence[Preparer]) -> Inbox:
    """The driver for this store, with the turns that it runs."""
    settings, database = base.settings, base.database
    functions = Functions(base.secrets, allow_private=settings.allow_private_endpoints)
    stack.push_async_callback(functions.close)
    engines = Engines(settings, base.metrics, base.breakers, database)
    stack.push_async_callback(engines.close)
    owned = OwnedTurns(database)
    turns = Turns(
        settings,
        database,
        base.catalog,
        engines,
        functions,
        preparers,
        way_out.delivery,
        way_out.windows,
        owned,
        way_out.suspects,
        base.metrics,
    )
    return open_inbox(settings.database_url, database, turns, owned, way_out.delivery, way_out.windows)


def _web_application(
    base: _Base,
    way_out: _WayOut,
    admission: Admission,
    timers: Timers,
    health: Health,
    connections: Connections,
    unsigned: Unsigned,
    let_in: LetIn,
    public_url: str,
) -> web.Application:
    settings, database = base.settings, base.database
    webhooks = Webhooks(
        public_url,
        settings.reply_within_seconds,
        database,
        base.catalog,
        base.accounts,
        admission,
        way_out.delivery,
        way_out.windows,
        timers,
        base.metrics,
        unsigned,
    )
    endpoints = [
        *_bots(base).endpoints(),
        *Assistants(database).endpoints(),
        *Messages(database, _proactive(base, way_out)).endpoints(),
        *DeadLetters(database).endpoints(),
        *Reconcile(database).endpoints(),
        *Users(_forgetting(base)).endpoints(),
    ]
    app = web.Application(middlewares=[connections.middleware(), guard(let_in)], client_max_size=MAX_BODY_BYTES)
    routes = [*webhooks.routes(), *health.routes(), *MetricsPage(base.metrics, database).routes()]
    routes += [endpoint.route() for endpoint in [*endpoints, openapi_endpoint(endpoints)]]
    app.add_routes(with_expectations(routes))
    return app


def _bots(base: _Base) -> Bots:
    allow_private = base.settings.allow_private_endpoints
    return Bots(base.database, LiveAssistants(base.settings), base.secrets, allow_private_endpoints=allow_private)


def _proactive(base: _Base, way_out: _WayOut) -> Proactive:
    number = base.settings.twilio_whatsapp_from
    return Proactive(base.database, base.catalog, base.accounts, way_out.delivery, number)


def _forgetting(base: _Base) -> Erasure:
    copies = TwilioCopies(base.settings, base.database, base.accounts, base.metrics, base.breakers)
    return Erasure(base.settings, base.database, copies, base.catalog.salt)


def _sweep(base: _Base, way_out: _WayOut, admission: Admission, public_url: str) -> Sweep:
    return Sweep(
        public_url + WEBHOOK_PATH,
        timedelta(minutes=base.settings.sweep_window_minutes),
        base.settings.sweep_seconds,
        base.database,
        base.catalog,
        base.accounts,
        way_out.twilio,
        admission,
        base.metrics,
    )


def _listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket, opened before the parts that need its address."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)


def _say_what_is_missing(settings: Settings, public_url: str, secrets: Sequence[MissingSecret]) -> None:
    for name in missing_settings(settings):
        log.warning("setting_missing", setting=name, effect="no message can be answered")
    if settings.public_url is None:
        log.warning("setting_missing", setting="PUBLIC_URL", effect=f"webhooks are expected at {public_url}")
    for missing in secrets:
        log.warning("secret_missing", client=missing.client, variable=missing.variable, effect=missing.use)
