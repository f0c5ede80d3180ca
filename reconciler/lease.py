"""One apply at a time, across CI, cron and people: a lease in the bot store, renewed while we work."""

from __future__ import annotations

import getpass
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.errors import Busy
from runtime.store.errors import LeaseHeld, StoreError
from runtime.store.writer import StoreWriter

TTL_SECONDS = 60.0
"""How long a lease outlives a run that was killed on another machine."""


@contextmanager
def lease(store: StoreWriter, *, stop: threading.Event) -> Iterator[str]:
    """Hold the lease while the body runs; yields the owner's name. Raises `Busy` when somebody else has it.

    When it cannot be renewed, `stop` is set: somebody else may be applying.
    """
    owner = owner_name()
    _acquire(store, owner)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(TTL_SECONDS / 3):
            try:
                store.renew_lease(owner, TTL_SECONDS)
            except StoreError:
                stop.set()
                return

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield owner
    finally:
        done.set()
        renewing.join()
        store.release_lease(owner)


def owner_name() -> str:
    """Who holds the lease: `user@host:pid`."""
    return f"{_user()}@{platform.node()}:{os.getpid()}"


def _acquire(store: StoreWriter, owner: str) -> None:
    try:
        store.acquire_lease(owner, TTL_SECONDS)
    except LeaseHeld as held:
        if not _is_dead(held.lease.owner):
            raise Busy(str(held)) from held
        # The run that holds it was killed on this very machine: nobody is left to wait for.
        store.release_lease(held.lease.owner, force=True)
        try:
            store.acquire_lease(owner, TTL_SECONDS)
        except LeaseHeld as again:
            raise Busy(str(again)) from again


def _is_dead(owner: str) -> bool:
    place, _, pid = owner.rpartition(":")
    if not pid.isdecimal() or place.rpartition("@")[2] != platform.node():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
