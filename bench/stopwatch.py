"""Runs one program and writes what it took as JSON: `python -I -S stopwatch.py REPORT COMMAND …`.

A process of its own, and a small one: until a child has become its program, the kernel counts its parent's memory as
the child's, so the measuring process must need less than the measured one.
"""

import json
import os
import sys
import time


def main(report: str, command: list[str]) -> None:
    """Runs the command with this process's streams and waits for it."""
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    taken = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    with open(report, "w", encoding="utf-8") as out:  # noqa: PTH123 - pathlib would make this process larger
        json.dump(taken, out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
