"""The Twilio stand-in as one aiohttp application."""

from collections.abc import AsyncIterator

from aiohttp import web

from sandbox.control import Control
from sandbox.middleware import stand_in_middleware
from sandbox.state import State
from sandbox.twilio.accounts import Accounts
from sandbox.twilio.console import Console
from sandbox.twilio.contents import Contents
from sandbox.twilio.delivery import SimulatedDelivery
from sandbox.twilio.event_streams import EventStreams
from sandbox.twilio.inbound import Inbound
from sandbox.twilio.manifests import register_all
from sandbox.twilio.media import Media
from sandbox.twilio.media_fetch import MediaUrlFetcher
from sandbox.twilio.messages import Messages
from sandbox.twilio.messaging_services import MessagingServices
from sandbox.twilio.senders import Senders
from sandbox.twilio.typing import Typing
from sandbox.twilio.usage_records import UsageRecords
from sandbox.twilio.webhook_sender import WebhookSender
from sandbox.twilio.wire import TwilioStandIn


def application(state: State) -> web.Application:
    """Every endpoint of every Twilio host on one port, paths unchanged, and the sandbox's own."""
    app = web.Application(middlewares=[stand_in_middleware(state, TwilioStandIn(state))], client_max_size=32 * 2**20)
    webhook_sender = WebhookSender(state)
    accounts = Accounts(state)
    senders = Senders(state)
    messages = Messages(state, senders)
    media, fetcher = Media(state, messages), MediaUrlFetcher(state)
    delivery = SimulatedDelivery(state, messages, media, webhook_sender, fetcher)
    inbound = Inbound(state, senders, messages, media, webhook_sender)
    console = Console(state, accounts, senders)

    def begin() -> None:
        accounts.open_main()
        senders.index()
        messages.index()
        register_all(state, accounts, senders)

    async def life(_: web.Application) -> AsyncIterator[None]:
        delivery.resume()
        yield
        await state.background.drop()
        await webhook_sender.close()
        await fetcher.close()

    begin()
    state.after_reset.append(begin)
    app.cleanup_ctx.append(life)
    further = (
        Typing(state),
        Contents(state),
        MessagingServices(state, senders),
        EventStreams(state, webhook_sender),
        UsageRecords(state),
        console,
        Control(state),
    )
    for part in (accounts, senders, media, messages, inbound, *further):
        app.router.add_routes(part.routes())
    return app
