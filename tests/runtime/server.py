"""A PostgreSQL server for the tests: the one that is there, else one of their own from the installed binaries."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg

GIVEN = os.environ.get("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432")
BINARIES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@cache
def server() -> str | None:
    """The URL of a server, without a database; None when there is none and none can be started."""
    if _answers(GIVEN):
        return GIVEN
    # A server that is named is the one to use.
    folder = None if "TEST_POSTGRESQL_URL" in os.environ else _binaries()
    return _started(folder) if folder else None


def _answers(url: str) -> bool:
    try:
        psycopg.connect(f"{url}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _binaries() -> Path | None:
    """Where initdb and pg_ctl are: on the path, or where distributions put them, the newest first."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    places = [place for pattern in BINARIES for place in Path("/").glob(pattern.lstrip("/"))]
    return next((place for place in sorted(places, reverse=True) if (place / "initdb").exists()), None)


def _started(binaries: Path) -> str:
    """Starts a server in a folder that goes with the process. Data is not kept, so nothing waits for the disk."""
    home = Path(tempfile.mkdtemp(prefix="postgresql-"))
    # The server refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(home, user)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = home / "data"
    settings = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    start = [binaries / "pg_ctl", "-D", data, "-l", home / "log", "-o", settings, "-w", "start"]
    stop = [binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
    for command in (initdb, start):
        subprocess.run(command, user=user, cwd=home, stdout=subprocess.DEVNULL, check=True)

    def end() -> None:
        subprocess.run(stop, user=user, cwd=home, stdout=subprocess.DEVNULL, check=False)
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(end)
    return f"postgresql://postgres@127.0.0.1:{port}"
