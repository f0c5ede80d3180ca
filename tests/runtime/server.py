"""A PostgreSQL server for the tests: the one that is there, else one of their own from the installed binaries."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from tests.postgresql_cluster import Cluster, binaries

GIVEN = os.environ.get("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432")


@cache
def server() -> str | None:
    """The URL of a server, without a database; None when there is none and none can be started."""
    if _answers(GIVEN):
        return GIVEN
    # A server that is named is the one to use.
    folder = None if "TEST_POSTGRESQL_URL" in os.environ else binaries()
    return _started(folder) if folder else None


def _answers(url: str) -> bool:
    try:
        psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _started(folder: Path) -> str:
    """Starts a server in a folder that goes with the process. Data is not kept, so nothing waits for the disk."""
    parent = Path(tempfile.mkdtemp(prefix="postgresql-"))
    parent.chmod(0o711)
    cluster = Cluster(folder, parent / "server")
    cluster.create()
    cluster.start("fsync=off", "max_connections=200")

    def end() -> None:
        cluster.stop()
        shutil.rmtree(parent, ignore_errors=True)

    atexit.register(end)
    return cluster.url
