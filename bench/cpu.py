"""CPU time of processes, as Linux counts it: of the replicas, of PostgreSQL's backends, of the users."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

_TICKS = os.sysconf("SC_CLK_TCK")
_BACKENDS = "SELECT pid, datname IS NOT DISTINCT FROM current_database() FROM pg_stat_activity"


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds of each process, in groups."""

    groups: Mapping[str, Mapping[int, float]]

    def since(self, before: Cpu) -> dict[str, float]:
        """Seconds of each group since an earlier count. A process that began meanwhile counts from its beginning."""
        earlier = {pid: seconds for group in before.groups.values() for pid, seconds in group.items()}
        return {
            name: sum(seconds - earlier.get(pid, 0.0) for pid, seconds in group.items())
            for name, group in self.groups.items()
        }


REPLICAS, BACKENDS, SERVER, USERS = "replicas", "backends", "server", "users"


def cpu_now(replicas: Iterable[int], users: int, database_url: str | None) -> Cpu:
    """What has been used so far. `database_url`: of a server on this machine, whose backends of that database are kept
    apart from its other processes."""
    backends: dict[int, float] = {}
    server: dict[int, float] = {}
    if database_url is not None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for pid, is_ours in connection.execute(_BACKENDS).fetchall():
                if pid != connection.info.backend_pid:
                    (backends if is_ours else server)[pid] = _seconds(pid)
    return Cpu(
        {
            REPLICAS: {pid: _seconds(pid) for pid in replicas},
            BACKENDS: backends,
            SERVER: server,
            USERS: {users: _seconds(users)},
        }
    )


def seconds_in(stat: str) -> float:
    """User and system time in a text of /proc/PID/stat. The program's name in it may hold spaces and parentheses."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _seconds(pid: int) -> float:
    try:
        return seconds_in(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:  # it has just ended, or the server is on another machine
        return 0.0
