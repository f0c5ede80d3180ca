"""The OpenAI stand-in as one aiohttp application."""

from aiohttp import web

from sandbox.control import Control
from sandbox.middleware import stand_in_middleware
from sandbox.openai.agent_sessions import AgentSessions
from sandbox.openai.agents import Agents
from sandbox.openai.assistants import Assistants
from sandbox.openai.conversations import Conversations
from sandbox.openai.costs import Costs
from sandbox.openai.files import Files
from sandbox.openai.models import Models
from sandbox.openai.responses import Responses
from sandbox.openai.runs import Runs
from sandbox.openai.store_files import StoreFiles
from sandbox.openai.threads import Threads
from sandbox.openai.transcriptions import Transcriptions
from sandbox.openai.vector_stores import VectorStores
from sandbox.openai.wire import OpenAIStandIn
from sandbox.state import State

_LARGEST_UPLOAD = 512 * 2**20


def application(state: State) -> web.Application:
    """Every endpoint under /v1, and the sandbox's own."""
    app = web.Application(
        middlewares=[stand_in_middleware(state, OpenAIStandIn(state))], client_max_size=_LARGEST_UPLOAD
    )
    conversations = Conversations(state)
    threads = Threads(state)
    files = Files(state)
    store_files = StoreFiles(state, files)
    stores = VectorStores(state, store_files)
    runs = Runs(state, threads, stores)
    responses = Responses(state, conversations, files, stores)
    memory = (responses, conversations, Assistants(state), runs, threads)
    agents = Agents(state)
    knowledge = (files, store_files, stores)
    parts = (
        Models(),
        Transcriptions(state),
        *memory,
        AgentSessions(state, agents),
        agents,
        *knowledge,
        Costs(state),
        Control(state),
    )
    for part in parts:
        app.router.add_routes(part.routes())
    return app
