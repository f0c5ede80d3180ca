"""The OpenAI stand-in as one aiohttp application."""

from aiohttp import web

from sandbox.control import Control
from sandbox.gate import gate
from sandbox.openai.assistants import Assistants
from sandbox.openai.conversations import Conversations
from sandbox.openai.models import Models
from sandbox.openai.responses import Responses
from sandbox.openai.runs import Runs
from sandbox.openai.threads import Threads
from sandbox.openai.wire import OpenAIGate
from sandbox.world import World

_LARGEST_UPLOAD = 512 * 2**20


def application(world: World) -> web.Application:
    """Every endpoint under /v1, and the sandbox's own."""
    app = web.Application(middlewares=[gate(world, OpenAIGate(world))], client_max_size=_LARGEST_UPLOAD)
    conversations = Conversations(world)
    threads = Threads(world)
    runs = Runs(world, threads)
    parts = (Models(), Responses(world, conversations), conversations, Assistants(world), runs, threads, Control(world))
    for part in parts:
        app.router.add_routes(part.routes())
    return app
