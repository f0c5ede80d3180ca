"""The Twilio stand-in as one aiohttp application."""

from collections.abc import AsyncIterator

from aiohttp import web

from sandbox.control import Control
from sandbox.middleware import gate
from sandbox.state import World
from sandbox.twilio.accounts import Accounts
from sandbox.twilio.console import Console
from sandbox.twilio.contents import Contents
from sandbox.twilio.delivery import Delivery
from sandbox.twilio.inbound import Inbound
from sandbox.twilio.manifests import register_all
from sandbox.twilio.media import Media
from sandbox.twilio.messages import Messages
from sandbox.twilio.senders import Senders
from sandbox.twilio.typing import Typing
from sandbox.twilio.webhook_sender import Courier
from sandbox.twilio.wire import TwilioGate


def application(world: World) -> web.Application:
    """Every endpoint of every Twilio host on one port, paths unchanged, and the sandbox's own."""
    app = web.Application(middlewares=[gate(world, TwilioGate(world))], client_max_size=32 * 2**20)
    courier = Courier(world)
    accounts = Accounts(world)
    senders = Senders(world)
    messages = Messages(world, senders)
    delivery = Delivery(world, messages, courier)
    media = Media(world, messages)
    inbound = Inbound(world, senders, messages, media, courier)
    console = Console(world, accounts, senders)

    def begin() -> None:
        accounts.open_main()
        senders.index()
        messages.index()
        register_all(world, accounts, senders)

    async def life(_: web.Application) -> AsyncIterator[None]:
        delivery.resume()
        yield
        await world.errands.drop()
        await courier.close()

    begin()
    world.after_reset.append(begin)
    app.cleanup_ctx.append(life)
    for part in (accounts, senders, media, messages, inbound, Typing(world), Contents(world), console, Control(world)):
        app.router.add_routes(part.routes())
    return app
