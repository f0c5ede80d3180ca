"""`horizonai-whatsapp-bot serve`: the serving process, from its event loop to SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.settings import Settings


def serve_until_stopped(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_serve(settings, host, port))


async def _serve(settings: Settings, host: str, port: int) -> None:
    from runtime.app import Service
    from runtime.observability.tracing import start_tracing, stop_tracing

    # Each conversation that waits for its model holds a connection, and the usual soft limit is 1,024 of them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start_tracing()
    try:
        async with Service(settings, host, port) as address:
            _collect_rarely()
            click.echo(f"runtime  {address.url}")
            await stop.wait()
    finally:
        stop_tracing()


def _collect_rarely() -> None:
    """Makes Python collect cyclic garbage less often, and exempts the objects that the start has created.

    With its default thresholds it pauses the service for a hundred milliseconds and more, again and again, to traverse
    the running conversations. Reference counts free nearly everything that a message leaves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where it is available (not on Windows), else None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
