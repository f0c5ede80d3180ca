"""One sandbox process: all stand-ins and the media server on their ports until SIGTERM or SIGINT. It prints where
they listen, and nothing else on stdout.
"""

import asyncio
import gc
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sandbox.chatwoot import app as chatwoot_app
from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.openai import app as openai_app
from sandbox.price_ledger import PriceLedger
from sandbox.settings import Settings, Values
from sandbox.state import Credentials, State
from sandbox.storage import Storage
from sandbox.twilio import app as twilio_app
from sandbox.twilio import media_server


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a stand-in listens. Port 0 is any free one."""

    host: str
    port: int


def open_state(directory: Path, credentials: Credentials, settings: Values, senders_from: Path | None) -> State:
    storage, in_force = Storage(directory), Settings(settings)
    ledger = Ledger(directory, in_force.time)
    return State(storage, ledger, Faults(), in_force, credentials, PriceLedger(ledger), senders_from)


def run(state: State, openai: Listen, twilio: Listen, media: Listen, chatwoot: Listen) -> None:
    """Serves until a signal. Raises OSError when an address is not available."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(_serve(state, openai, twilio, media, chatwoot))
    finally:
        state.ledger.close()
        state.storage.close()


async def _serve(state: State, openai: Listen, twilio: Listen, media: Listen, chatwoot: Listen) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runners: list[web.AppRunner] = []

    async def listen(app: web.Application, at: Listen) -> tuple[str, int]:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, at.host, at.port, backlog=4096).start()
        host, port = runner.addresses[0][:2]
        return host, port

    try:
        content = await listen(media_server.application(state), media)
        state.media_port = content[1]
        desk, operators = chatwoot_app.application(state)
        at_desk = await listen(desk, chatwoot)
        state.desk_port = at_desk[1]
        phones = twilio_app.application(state)
        phones.router.add_routes(operators.routes())
        _announce("openai", await listen(openai_app.application(state), openai), "/v1")
        _announce("twilio", await listen(phones, twilio))
        _announce("media", content)
        _announce("chatwoot", at_desk)
        await stop.wait()
    finally:
        for runner in runners:
            await runner.cleanup()


def _announce(name: str, address: tuple[str, int], base: str = "") -> None:
    host, port = address
    sys.stdout.write(f"{name}  http://{host}:{port}{base}\n")
    sys.stdout.flush()
