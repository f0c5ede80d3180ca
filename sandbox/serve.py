"""One sandbox process: both stand-ins on their ports until SIGTERM or SIGINT. It prints where they listen, and nothing
else on stdout.
"""

import asyncio
import gc
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.openai import app as openai_app
from sandbox.settings import Settings, Values
from sandbox.state import Credentials, State
from sandbox.storage import Storage
from sandbox.twilio import app as twilio_app


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a stand-in listens. Port 0 is any free one."""

    host: str
    port: int


def open_state(directory: Path, credentials: Credentials, settings: Values, senders_from: Path | None) -> State:
    return State(Storage(directory), Ledger(directory), Faults(), Settings(settings), credentials, senders_from)


def run(state: State, openai: Listen, twilio: Listen) -> None:
    """Serves until a signal. Raises OSError when an address is not available."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(_serve(state, openai, twilio))
    finally:
        state.ledger.close()
        state.storage.close()


async def _serve(state: State, openai: Listen, twilio: Listen) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runners = []
    try:
        for name, app, listen, base in (
            ("openai", openai_app.application(state), openai, "/v1"),
            ("twilio", twilio_app.application(state), twilio, ""),
        ):
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, listen.host, listen.port, backlog=4096).start()
            host, port = runner.addresses[0][:2]
            sys.stdout.write(f"{name}  http://{host}:{port}{base}\n")
            sys.stdout.flush()
        await stop.wait()
    finally:
        for runner in runners:
            await runner.cleanup()
