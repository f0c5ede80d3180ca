"""`horizonai-whatsapp-bot serve`: the serving process, from its event loop to SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runtime.settings import Settings


def serve_until_stopped(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    migrate_aside(settings.database_url)
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_serve(settings, host, port))


def migrate_aside(url: str) -> None:
    """Brings the store to head in a process of its own, which takes with it what only a migration needs: 10 MB.

    Where it fails, so does the service's own opening of the store, which reports why."""
    from runtime.store.database.lock_file import held_lock
    from runtime.store.database.migrate import open_migrated
    from runtime.store.database.url import is_sqlite

    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        with ExitStack() as held:
            if is_sqlite(url):
                held.enter_context(held_lock(url))
            open_migrated(url, pool_size=1).dispose()
    finally:
        os._exit(0)


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
