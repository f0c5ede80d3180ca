"""The Chatwoot stand-in as one aiohttp application."""

from collections.abc import AsyncIterator

from aiohttp import web

from sandbox.chatwoot.contacts import DeskContacts
from sandbox.chatwoot.conversations import DeskConversations
from sandbox.chatwoot.events import DeskEvents
from sandbox.chatwoot.inboxes import DeskInboxes
from sandbox.chatwoot.messages import DeskMessages
from sandbox.chatwoot.operators import Operators
from sandbox.chatwoot.wire import ChatwootStandIn
from sandbox.control import Control
from sandbox.middleware import stand_in_middleware
from sandbox.state import State


def application(state: State) -> tuple[web.Application, Operators]:
    """Chatwoot's API and the sandbox's own endpoints; and what people at the desk do, for the phone's port too."""
    app = web.Application(middlewares=[stand_in_middleware(state, ChatwootStandIn(state))], client_max_size=64 * 2**20)
    events = DeskEvents(state)
    contacts, inboxes = DeskContacts(state), DeskInboxes(state)
    conversations = DeskConversations(state, contacts, events)
    messages = DeskMessages(state, conversations, events)
    operators = Operators(state, inboxes, conversations, messages)

    async def life(_: web.Application) -> AsyncIterator[None]:
        yield
        await events.close()

    app.cleanup_ctx.append(life)
    for part in (inboxes, contacts, conversations, messages, operators, Control(state)):
        app.router.add_routes(part.routes())
    return app, operators
