"""Every page of the console, with what it is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from runtime.catalog import Catalog
from runtime.console import static_files
from runtime.console.access import AccessPages
from runtime.console.audit import AuditPages
from runtime.console.clients import ClientPages
from runtime.console.conversations import ConversationPages
from runtime.console.cookies import is_https
from runtime.console.counted_months import CountedMonths
from runtime.console.fleet import FleetPages
from runtime.console.forge import Forge
from runtime.console.live import Live, LivePages
from runtime.console.offered_templates import TemplatePages
from runtime.console.own import OwnPages
from runtime.console.page_store import PageStore
from runtime.console.plans import PlanPages
from runtime.console.reports import ReportPages
from runtime.console.sign_in import SignInPages
from runtime.console.site import ConsoleSite
from runtime.console.trying import TryingPages
from runtime.console.turns import TurnPages
from runtime.console.waiting import WaitingPages
from runtime.delivery.operators import HumanOperators
from runtime.delivery.proactive import Proactive
from runtime.delivery.templates import Templates
from runtime.media.showing import FilesOfUsers
from runtime.price_list import PriceList
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """The parts of the service that pages use."""

    people: HumanOperators
    """Carries out what operators do in conversations."""
    files: FilesOfUsers
    """Shows what users sent."""
    proactive: Proactive
    templates: Templates
    prices: PriceList
    live: Live
    months: CountedMonths
    """Of reports."""
    catalog: Catalog


def console(
    database: PageStore,
    parts: ConsoleParts,
    settings: Settings,
    public_url: str | None,
    address_of: Callable[[web.Request], str | None],
) -> ConsoleSite:
    """The console over a store."""
    conversations = ConversationPages(database, parts.people, parts.files, settings.timezone)
    forge = Forge(settings.manifests_url)
    pages = [
        *FleetPages(database).pages(),
        *ClientPages(database, forge, settings.timezone).pages(),
        *PlanPages(database, forge, settings.timezone).pages(),
        *conversations.pages(),
        *OwnPages(database, parts.months, conversations, settings.timezone).pages(),
        *LivePages(parts.live, parts.people).pages(),
        *TemplatePages(database, parts.people, parts.proactive, parts.templates, parts.prices).pages(),
        *TurnPages(database, parts.people, settings.timezone).pages(),
        *TryingPages(database, parts.catalog, settings).pages(),
        *WaitingPages(database, settings.timezone).pages(),
        *ReportPages(database, parts.months, settings.timezone).pages(),
        *AuditPages(database, settings.timezone).pages(),
        *AccessPages(database, public_url, settings.timezone).pages(),
        *SignInPages(database, is_https=is_https(public_url), timezone=settings.timezone).pages(),
        *static_files.pages(),
    ]
    return ConsoleSite(database, pages, address_of, public_url)
