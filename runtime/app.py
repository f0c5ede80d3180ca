"""Composes the service, starts it and stops it. Nothing is decided here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from aiohttp.log import server_logger

from runtime.api.assistants import Assistants
from runtime.api.audit import AuditLog
from runtime.api.auth import BearerAuth
from runtime.api.bots import Bots
from runtime.api.callers import CallerAddresses
from runtime.api.campaigns import CampaignLists
from runtime.api.client_secrets import ClientSecrets, MissingSecret
from runtime.api.conversations import ConversationFiles
from runtime.api.dead_letters import DeadLetters
from runtime.api.errors import guard
from runtime.api.expectations import with_expectations
from runtime.api.failed_tries import FailedTries
from runtime.api.files import StoredFiles
from runtime.api.health import Health, LetIn, missing_settings
from runtime.api.media import MediaFiles
from runtime.api.messages import Messages
from runtime.api.metrics import MetricsPage
from runtime.api.openapi import openapi_endpoint
from runtime.api.operators import OperatorActions
from runtime.api.opt_outs import OptOuts
from runtime.api.people import PeopleApi
from runtime.api.reconcile import Reconcile
from runtime.api.replays import Replays
from runtime.api.threads import ConversationThreads
from runtime.api.users import Users
from runtime.budgets.budgets import Budgets
from runtime.catalog import Catalog, open_catalog
from runtime.console.counted_months import CountedMonths
from runtime.console.live import Live
from runtime.console.page_process import StoreAccess
from runtime.console.page_store import PageStore
from runtime.console.pages import ConsoleParts, console
from runtime.delivery.campaigns import Campaigns
from runtime.delivery.delivery import Delivery
from runtime.delivery.file_links import FileLinks
from runtime.delivery.interrupted_proactive import InterruptedProactive
from runtime.delivery.operators import HumanOperators
from runtime.delivery.proactive import Proactive
from runtime.delivery.reply_window import ReplyWindows
from runtime.delivery.templates import Templates
from runtime.delivery.typing_indicator import TypingIndicator
from runtime.desk.desks import Desks
from runtime.desk.erasing import DeskCopies
from runtime.desk.webhook import DeskWebhook
from runtime.dispatch.audit_retention import AuditRetention
from runtime.dispatch.budget_warnings import BudgetWarnings
from runtime.dispatch.campaigns import CampaignRuns
from runtime.dispatch.canaries import Canaries
from runtime.dispatch.erasures import Erasures
from runtime.dispatch.handoff_summaries import HandoffSummaries
from runtime.dispatch.handoffs import Handoffs
from runtime.dispatch.inbox import Inbox, open_inbox
from runtime.dispatch.media_retention import MediaRetentions
from runtime.dispatch.message_deletions import MessageDeletions
from runtime.dispatch.model_ends import ModelEnds
from runtime.dispatch.openings import Openings
from runtime.dispatch.postponed_sends import PostponedSends
from runtime.dispatch.privacy_reminders import PrivacyReminders
from runtime.dispatch.retention import Retentions
from runtime.dispatch.sender_ratings import SenderRatings
from runtime.dispatch.template_events import TemplateEvents
from runtime.dispatch.timers import Timers
from runtime.dispatch.waiting_sends import WaitingSends
from runtime.engines.functions import Functions
from runtime.engines.listed_models import ListedModels
from runtime.engines.live_assistants import LiveAssistants
from runtime.engines.selection import Engines
from runtime.inbound.admission import Admission
from runtime.inbound.connections import CONNECTIONS, IDLE_SECONDS, READ_BYTES, BoundedSite, Connections
from runtime.inbound.missed_messages import Sweep
from runtime.inbound.missed_statuses import MissedStatuses
from runtime.inbound.restored import Restored
from runtime.inbound.template_events import TemplateEventsWebhook
from runtime.inbound.unsigned import Unsigned
from runtime.inbound.webhook import Webhooks
from runtime.media.documents import DocumentOpener
from runtime.media.fetching import MediaFetcher
from runtime.media.folder import MediaFolder
from runtime.media.showing import FilesOfUsers
from runtime.media.viewing import MediaViews
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.privacy.client_erasure import ClientErasure
from runtime.privacy.client_export import ClientExport
from runtime.privacy.erasure import Erasure
from runtime.privacy.export import FileCopies, PersonExport
from runtime.privacy.people import People
from runtime.privacy.twilio_messages import TwilioCopies
from runtime.resilience.breakers import Breakers
from runtime.resilience.poison import Suspects
from runtime.settings import Secrets, Settings, SettingsError
from runtime.store.database.database import Database, ErasableDatabase, open_database
from runtime.store.database.url import is_sqlite
from runtime.turns.canaries import CanaryWatch
from runtime.turns.outside_hours import Calendars
from runtime.turns.ownership import OwnedTurns
from runtime.turns.prepare import Preparer
from runtime.turns.read_files import FileReader
from runtime.turns.turn import Turns
from runtime.twilio.accounts import Accounts
from runtime.twilio.approvals import Approvals
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
        """`preparers` make parts of messages readable for engines, each in turn, before files are read."""
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
        way_out = _way_out(base, stack, public_url)
        engines = _engines(base, stack)
        inbox = _inbox(base, stack, engines, way_out, self._preparers)
        timers = Timers(base.database, base.metrics)
        HandoffSummaries(base.database, base.catalog, engines, base.prices, base.budgets, base.metrics).begin(timers)
        admission = Admission(settings, base.database, inbox, way_out.delivery)
        stack.push_async_callback(admission.stop)
        let_in = _let_in(base)
        client_secrets = ClientSecrets(base.database, base.secrets)
        health = Health(settings, base.database, client_secrets, let_in)
        connections, unsigned = Connections(base.metrics), Unsigned(base.metrics)
        server_logger.addFilter(unsigned)
        stack.callback(server_logger.removeFilter, unsigned)
        views = MediaViews(settings.media_dir, settings.twilio_base_url)
        stack.push_async_callback(views.close)
        desks = Desks(base.database, base.catalog, base.secrets, base.accounts, views, timers)
        stack.push_async_callback(desks.close)
        console_store = PageStore(base.database, StoreAccess(settings.database_url, settings.store_keys))
        stack.push_async_callback(console_store.close)
        live, months = Live(console_store), CountedMonths(console_store, settings.timezone)
        app = _web_application(
            base,
            way_out,
            views,
            desks,
            admission,
            timers,
            health,
            connections,
            unsigned,
            let_in,
            public_url,
            live,
            months,
            console_store,
        )
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=settings.reply_within_seconds + 1,
            keepalive_timeout=IDLE_SECONDS,
            read_bufsize=READ_BYTES,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(live.stop)
        stack.push_async_callback(months.stop)
        stack.push_async_callback(inbox.stop, settings.stop_grace_seconds)
        await base.prices.load()
        # What an earlier process left is read before this process adds to it.
        await base.budgets.start(alone=is_sqlite(settings.database_url))
        self._in_background(base.budgets.keep())
        await inbox.start()
        abandoned = InterruptedProactive(
            base.database, way_out.twilio, base.accounts, base.catalog, base.prices, base.metrics
        )
        self._in_background(abandoned.watch(alone=is_sqlite(settings.database_url)))
        await BoundedSite(runner, listener, connections, BACKLOG).start()
        PostponedSends(base.database, base.catalog, inbox, way_out.delivery, base.metrics).begin(timers)
        proactive = _proactive(base, way_out)
        WaitingSends(base.database, base.catalog, proactive, way_out.delivery, base.metrics).begin(timers)
        CampaignRuns(base.database, _campaigns(base, way_out)).begin(timers)
        statuses = _missed_statuses(base, way_out, timers)
        await desks.begin()
        self._in_background(desks.watch())
        self._template_events(timers, base, way_out, public_url)
        await self._start_timers(timers, base, inbox, way_out, _sweep(base, way_out, admission, public_url), statuses)
        stack.callback(health.stop)
        _say_what_is_missing(settings, public_url, await client_secrets.missing())
        log.info("serving", address=address.url, public_url=public_url)
        return address

    def _template_events(self, timers: Timers, base: _Base, way_out: _WayOut, public_url: str) -> None:
        channels = base.settings.alert_notify
        addresses = channels.get_secret_value().split() if channels else []
        TemplateEvents(public_url, base.database, base.accounts, way_out.twilio, base.metrics, addresses).begin(timers)

    async def _start_timers(
        self, timers: Timers, base: _Base, inbox: Inbox, way_out: _WayOut, sweep: Sweep, statuses: MissedStatuses
    ) -> None:
        """Begins or ends what is searched for at Twilio, and runs due timers."""
        if base.settings.sweep_seconds:
            await sweep.begin(timers)
            await statuses.begin()
        else:
            await sweep.never(timers)
            await statuses.never()
        channels = base.settings.alert_notify
        addresses = channels.get_secret_value().split() if channels else []
        await AuditRetention(base.database, base.settings.audit_days).begin(timers)
        await BudgetWarnings(base.database, base.budgets, addresses).begin(timers)
        PrivacyReminders(base.database, addresses, base.settings.timezone).begin(timers)
        Erasures(_forgetting(base)).begin(timers)
        watch = CanaryWatch(base.database, base.metrics)
        await Canaries(base.database, base.catalog, watch, addresses).begin(timers)
        models = ListedModels(base.settings)
        self._stack.push_async_callback(models.close)
        await ModelEnds(base.database, models, addresses).begin(timers)
        await MediaRetentions(base.database, base.catalog, base.accounts, way_out.twilio, timers).begin()
        await SenderRatings(base.database, base.accounts, way_out.twilio).begin(timers)
        MessageDeletions(base.catalog, base.accounts, way_out.twilio).begin(timers)
        await Retentions(base.database, timers, base.metrics, base.settings.timezone).begin()
        Handoffs(base.database, base.catalog, inbox, base.secrets, addresses, base.settings.timezone).begin(timers)
        Openings(base.database, base.catalog, inbox, base.settings.timezone, Calendars()).begin(timers)
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
        yield _proactive(base, _way_out(base, stack, settings.public_url))


@asynccontextmanager
async def operating(settings: Settings) -> AsyncIterator[HumanOperators]:
    """What people do in conversations from the command line, beside a service that sends what they write."""
    async with AsyncExitStack() as stack:
        yield _operators(await _opened(settings, stack, serving=False), lambda: None)


@asynccontextmanager
async def campaign_runner(settings: Settings) -> AsyncIterator[tuple[Campaigns, Database]]:
    """The parts that send to lists from the command line, beside a service that may be running: whichever of the two
    holds a campaign's timer sends it."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        campaigns = _campaigns(base, _way_out(base, stack, settings.public_url))
        timers = Timers(base.database, base.metrics)
        CampaignRuns(base.database, campaigns).begin(timers)
        running = asyncio.create_task(timers.run())

        async def stop() -> None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        stack.push_async_callback(stop)
        yield campaigns, base.database


@asynccontextmanager
async def forgetting(settings: Settings) -> AsyncIterator[Erasure]:
    """The parts that erase users from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        yield _forgetting(await _opened(settings, stack, serving=False))


@asynccontextmanager
async def helping_people(settings: Settings) -> AsyncIterator[People]:
    """What is done for people who ask, from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        views = MediaViews(settings.media_dir, settings.twilio_base_url)
        stack.push_async_callback(views.close)
        yield _people_who_ask(base, views)


@asynccontextmanager
async def handing_back(settings: Settings) -> AsyncIterator[ClientExport]:
    """What gives a client's data back, from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        views = MediaViews(settings.media_dir, settings.twilio_base_url)
        stack.push_async_callback(views.close)
        yield ClientExport(base.database, FileCopies(base.database, base.accounts, views))


@asynccontextmanager
async def ending_clients(settings: Settings) -> AsyncIterator[ClientErasure]:
    """What erases a client at the end, from the command line, beside a service that may be running."""
    async with AsyncExitStack() as stack:
        yield ClientErasure(_forgetting(await _opened(settings, stack, serving=False)))


@asynccontextmanager
async def restoring(settings: Settings) -> AsyncIterator[Restored]:
    """The parts that settle a restored store from the command line, while no service is running."""
    async with AsyncExitStack() as stack:
        base = await _opened(settings, stack, serving=False)
        if settings.public_url is None:
            raise SettingsError("PUBLIC_URL is not set; only messages whose webhook goes there are settled.")
        way_out = _way_out(base, stack, None)
        inbox = _inbox(base, stack, _engines(base, stack), way_out, ())
        admission = Admission(settings, base.database, inbox, way_out.delivery)
        yield Restored(_sweep(base, way_out, admission, settings.public_url))


@dataclass(frozen=True, slots=True)
class _Base:
    """The parts that everything else depends on, once per process."""

    settings: Settings
    database: ErasableDatabase
    catalog: Catalog
    secrets: Secrets
    accounts: Accounts
    metrics: Metrics
    breakers: Breakers
    prices: PriceList
    budgets: Budgets


@dataclass(frozen=True, slots=True)
class _WayOut:
    """The delivery of messages, and what turns share with it: waiting webhooks, and slots for suspected poison."""

    twilio: Twilio
    windows: ReplyWindows
    suspects: Suspects
    delivery: Delivery
    links: FileLinks
    approvals: Approvals


async def _opened(settings: Settings, stack: AsyncExitStack, *, serving: bool = True) -> _Base:
    database = await open_database(settings.database_url, serving=serving, connections=settings.database_connections)
    stack.push_async_callback(database.close)
    catalog = await open_catalog(database)
    secrets, metrics = Secrets(), Metrics()
    breakers = Breakers(settings.breaker_seconds, metrics)
    accounts, prices = Accounts(settings, secrets), PriceList(database, catalog)
    budgets = Budgets(database, prices)
    stack.push_async_callback(budgets.close)
    return _Base(settings, database, catalog, secrets, accounts, metrics, breakers, prices, budgets)


def _way_out(base: _Base, stack: AsyncExitStack, public_url: str | None) -> _WayOut:
    """`public_url`: None where no service is running that Twilio could call."""
    settings = base.settings
    twilio = Twilio(settings.twilio_base_url, base.metrics, base.breakers, settings.turn_deadline_seconds)
    stack.push_async_callback(twilio.close)
    windows, suspects, links = ReplyWindows(), Suspects(), FileLinks(base.catalog.salt, public_url)
    delivery = Delivery(
        base.database,
        twilio,
        base.accounts,
        base.catalog,
        windows,
        suspects,
        base.prices,
        base.metrics,
        public_url + STATUS_PATH if public_url else None,
        settings.webhook_connection_overrides,
        links,
    )
    approvals = Approvals(twilio, version=lambda: base.catalog.version)
    return _WayOut(twilio, windows, suspects, delivery, links, approvals)


def _engines(base: _Base, stack: AsyncExitStack) -> Engines:
    engines = Engines(base.settings, base.metrics, base.breakers, base.database, base.prices, base.budgets)
    stack.push_async_callback(engines.close)
    return engines


def _inbox(
    base: _Base, stack: AsyncExitStack, engines: Engines, way_out: _WayOut, preparers: Sequence[Preparer]
) -> Inbox:
    """The driver for this store, with the turns that it runs."""
    settings, database = base.settings, base.database
    functions = Functions(base.secrets, allow_private=settings.allow_private_endpoints)
    stack.push_async_callback(functions.close)
    owned = OwnedTurns(database)
    folder = MediaFolder(settings.media_dir)
    folder.remove_left()
    stack.callback(folder.close)
    fetcher = MediaFetcher(settings.twilio_base_url)
    stack.push_async_callback(fetcher.close)
    typing = TypingIndicator(way_out.twilio, base.accounts)
    stack.push_async_callback(typing.close)
    turns = Turns(
        settings,
        database,
        base.catalog,
        engines,
        functions,
        [*preparers, FileReader(fetcher, DocumentOpener(), engines.transcriber, base.accounts)],
        folder,
        typing,
        way_out.delivery,
        way_out.windows,
        owned,
        way_out.suspects,
        base.prices,
        base.budgets,
        base.metrics,
    )
    return open_inbox(settings.database_url, database, turns, owned, way_out.delivery, way_out.windows)


def _web_application(
    base: _Base,
    way_out: _WayOut,
    views: MediaViews,
    desks: Desks,
    admission: Admission,
    timers: Timers,
    health: Health,
    connections: Connections,
    unsigned: Unsigned,
    let_in: LetIn,
    public_url: str,
    live: Live,
    months: CountedMonths,
    console_store: PageStore,
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
        base.prices,
        base.metrics,
        unsigned,
    )
    people, shown = _operators(base, timers.wake), FilesOfUsers(database, base.accounts, views)
    endpoints = [
        *_bots(base).endpoints(),
        *Assistants(database).endpoints(),
        *Messages(database, _proactive(base, way_out)).endpoints(),
        *CampaignLists(database, _campaigns(base, way_out)).endpoints(),
        *DeadLetters(database).endpoints(),
        *Replays(database).endpoints(),
        *OptOuts(database).endpoints(),
        *ConversationFiles(shown).endpoints(),
        *ConversationThreads(database, people).endpoints(),
        *OperatorActions(database, people).endpoints(),
        *Reconcile(database).endpoints(),
        *Users(_forgetting(base)).endpoints(),
        *PeopleApi(database, _people_who_ask(base, views), settings.media_dir).endpoints(),
        *StoredFiles(database).endpoints(),
        *AuditLog(database).endpoints(),
    ]
    app = web.Application(middlewares=[connections.middleware(), guard(let_in)], client_max_size=MAX_BODY_BYTES)
    app[CONNECTIONS] = connections
    routes = [*webhooks.routes(), *health.routes(), *MetricsPage(base.metrics, database, base.budgets).routes()]
    proactive, templates = _proactive(base, way_out), _templates(base, way_out)
    parts = ConsoleParts(people, shown, proactive, templates, base.prices, live, months, base.catalog)
    routes += console(console_store, parts, settings, public_url, CallerAddresses(settings.proxies).of).routes()
    routes += [*MediaFiles(database, way_out.links).routes(), *DeskWebhook(database, desks, timers).routes()]
    routes += TemplateEventsWebhook(public_url, database, base.accounts, timers, unsigned).routes()
    routes += [endpoint.route() for endpoint in [*endpoints, openapi_endpoint(endpoints)]]
    app.add_routes(with_expectations(routes))
    return app


def _let_in(base: _Base) -> LetIn:
    addresses = CallerAddresses(base.settings.proxies)
    return BearerAuth(
        base.database, base.settings.api_token, addresses, FailedTries(base.metrics, base.settings.failed_tries)
    ).let_in


def _bots(base: _Base) -> Bots:
    allow_private = base.settings.allow_private_endpoints
    return Bots(base.database, LiveAssistants(base.settings), base.secrets, allow_private_endpoints=allow_private)


def _proactive(base: _Base, way_out: _WayOut) -> Proactive:
    number = base.settings.twilio_whatsapp_from
    limit, templates = base.settings.campaign_max, _templates(base, way_out)
    return Proactive(
        base.database, base.catalog, base.accounts, way_out.delivery, base.budgets, templates, number, limit
    )


def _templates(base: _Base, way_out: _WayOut) -> Templates:
    return Templates(base.catalog, base.accounts, way_out.approvals)


def _campaigns(base: _Base, way_out: _WayOut) -> Campaigns:
    return Campaigns(
        base.database,
        base.catalog,
        base.accounts,
        way_out.delivery,
        base.budgets,
        base.prices,
        _templates(base, way_out),
        _proactive(base, way_out),
        base.settings.timezone,
    )


def _operators(base: _Base, wake: Callable[[], None]) -> HumanOperators:
    """`wake`: has what they write sent at once; a process beside the service has it sent by that."""
    return HumanOperators(base.database, base.catalog, base.accounts, wake)


def _forgetting(base: _Base) -> Erasure:
    copies = TwilioCopies(base.settings, base.database, base.accounts, base.metrics, base.breakers)
    desks = DeskCopies(base.database, base.catalog, base.secrets)
    return Erasure(base.settings, base.database, copies, desks, base.catalog.salt)


def _people_who_ask(base: _Base, views: MediaViews) -> People:
    exports = PersonExport(base.database, FileCopies(base.database, base.accounts, views))
    return People(base.database, base.catalog, _forgetting(base), exports, base.settings.timezone)


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
        base.prices,
        base.metrics,
    )


def _missed_statuses(base: _Base, way_out: _WayOut, timers: Timers) -> MissedStatuses:
    return MissedStatuses(
        base.settings.sweep_seconds,
        base.database,
        base.catalog,
        base.accounts,
        way_out.twilio,
        base.prices,
        timers,
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
