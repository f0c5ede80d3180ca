"""One apply at a time, across CI, cron and people: a lease in the bot store, renewed while we work."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import Busy
from runtime.store.client.writer import StoreWriter
from runtime.store.errors import LeaseHeld, StoreError

TTL_SECONDS = 60.0
"""How long a lease lasts after a run was killed on another machine."""


@contextmanager
def lease(store: StoreWriter, *, stop: threading.Event) -> Iterator[str]:
    """Hold the lease while the body runs; yields its owner, as `user@host:pid`. Raises `Busy` when another run holds
    it.

    When it cannot be renewed, `stop` is set: another run may be applying.
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
        yield owner.rpartition("/")[0]
    finally:
        done.set()
        renewing.join()
        store.release_lease(owner)


def owner_name() -> str:
    """The owner of the lease: `user@host:pid/place`.

    Machines share names, and containers pids: only the place shows whether a pid can be looked up from here.
    """
    return f"{_user()}@{platform.node()}:{os.getpid()}/{_place()}"


def _place() -> str:
    """Eight hex digits for the scope of our pid: this boot of this machine, and this container on it."""
    try:
        place = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii") + str(
            Path("/proc/self/ns/pid").readlink()
        )
    except OSError:
        place = str(uuid.getnode())
    return hashlib.sha256(place.encode()).hexdigest()[:8]


def _acquire(store: StoreWriter, owner: str) -> None:
    try:
        store.acquire_lease(owner, TTL_SECONDS)
    except LeaseHeld as held:
        if not _is_dead(held.lease.owner):
            raise Busy(str(held)) from held
        # The run that holds it was killed on this machine: there is no reason to wait.
        store.release_lease(held.lease.owner, force=True)
        try:
            store.acquire_lease(owner, TTL_SECONDS)
        except LeaseHeld as again:
            raise Busy(str(again)) from again


def _is_dead(owner: str) -> bool:
    process, _, place = owner.rpartition("/")
    pid = process.rpartition(":")[2]
    if not pid.isdecimal() or place != _place():
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
